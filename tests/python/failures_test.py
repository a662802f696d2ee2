"""Exceptions, deaths and cancellation."""

import concurrent.futures
import functools
import os
import signal
import unittest

import harness
import hearth
import work


class FailuresTest(harness.PoolTest):
    def test_an_exception_comes_with_the_remote_traceback(self) -> None:
        with hearth.Pool(self.token) as pool:
            error = pool.submit(work.reciprocal, 0).exception()
        self.assertIsInstance(error, ZeroDivisionError)
        self.assertIn("in reciprocal\n    return 1 / x", str(error.__cause__))
        self.assertNotIn("task.py", str(error.__cause__), "only the program's own frames")

    def test_what_cannot_be_pickled_there_is_told(self) -> None:
        with hearth.Pool(self.token) as pool:
            broken, lock = pool.submit(work.raise_broken), pool.submit(work.return_lock)
            self.assertIn("no pickle brings me back", str(broken.exception()))
            self.assertIn("in raise_broken", str(broken.exception().__cause__))
            self.assertIsInstance(lock.exception(), TypeError)
            self.assertIn("cannot be pickled", str(lock.exception()))

    def test_a_process_that_dies_fails_its_call_alone(self) -> None:
        with hearth.Pool(self.token) as pool:
            dead, alive = pool.submit(work.die, 3), pool.submit(work.square, 3)
            with self.assertRaises(hearth.TaskFailed) as raised:
                dead.result()
            self.assertEqual(alive.result(), 9)
        self.assertEqual(raised.exception.reason, "EXIT_CODE")
        self.assertRegex(str(raised.exception), r"die: exit code 3 \(job \d+, task \d+ on .+\)\nSchluß")

    def test_what_the_hub_refuses_is_told(self) -> None:
        wrong = (
            ({"environment": "mars"}, "mars"),
            ({"cores": 5000}, "resources.cores"),
            ({"disk": "65T"}, "resources.disk_bytes"),
            ({"retries": 101}, "retries"),
        )
        for options, said in wrong:
            with hearth.Pool(self.token, **options) as pool:
                self.assertRegex(str(pool.submit(work.square, 1).exception()), said)
        self.assertRaisesRegex(ValueError, "memory='lots'", hearth.Pool, self.token, memory="lots")

    def test_what_went_to_a_hub_that_is_no_more_is_put_again(self) -> None:
        with hearth.Pool(self.token) as pool:
            put = pool._session.put_missing

            def put_elsewhere(contents: dict) -> int:
                pool._session.put_missing = put
                return len(contents)

            pool._session.put_missing = put_elsewhere
            self.assertEqual(pool.submit(work.square, 11).result(), 121)

    def test_a_running_call_can_be_cancelled(self) -> None:
        with hearth.Pool(self.token) as pool:
            future = pool.submit(work.sleep, 300)
            harness.until(future.running, "it runs")
            self.assertTrue(future.cancel())
            self.assertRaises(concurrent.futures.CancelledError, future.result)
            self.assertEqual(concurrent.futures.wait([future], timeout=5).not_done, set())
        harness.until(lambda: self.server.jobs()[0]["state"] == "JOB_STATE_CANCELLED", "it is ended where it runs")

    def test_shutdown_cancels_what_waits(self) -> None:
        pool = hearth.Pool(self.token, max_workers=1)
        running, waiting = pool.submit(work.waits_for, 1, 3), pool.submit(work.square, 2)
        harness.until(running.running, "the first runs")
        pool.shutdown(cancel_futures=True)
        self.assertEqual(running.result(), 9)
        self.assertTrue(waiting.cancelled())

    def test_terminate_ends_all(self) -> None:
        with hearth.Pool(self.token) as pool:
            futures = [pool.submit(work.sleep, 300) for _ in range(3)]
            pool.terminate()
            self.assertTrue(all(future.cancelled() for future in futures))

    def test_a_call_outlives_its_nodes_death(self) -> None:
        with hearth.Pool(self.token) as pool:
            results = pool.map(functools.partial(work.waits_for, 2), range(4), chunksize=1)
            harness.until(lambda: any(job.get("running") for job in self.server.jobs()), "some run")
            self.server.kill_node()
            self.assertEqual(list(results), [0, 1, 4, 9])

    def test_a_call_outlives_the_hubs_restart(self) -> None:
        with hearth.Pool(self.token) as pool:
            future = pool.submit(work.waits_for, 3, 5)
            harness.until(future.running, "it runs")
            os.kill(self.server.hub_process(), signal.SIGKILL)
            self.assertEqual(future.result(), 25)
            self.assertEqual(pool.submit(work.square, 4).result(), 16)


if __name__ == "__main__":
    unittest.main()
