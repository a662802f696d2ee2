"""Pool.submit: arguments, definitions, jobs."""

import functools
import unittest

import harness
import hearth
import work


class SubmitTest(harness.PoolTest):
    def test_submit_takes_arguments_by_place_and_name(self) -> None:
        with hearth.Pool(self.token) as pool:
            futures = [pool.submit(work.add, 1, b=2), pool.submit(work.add, 1, 2, c=3), pool.submit(divmod, 7, 2)]
            self.assertEqual([future.result() for future in futures], [3, 6, (3, 1)])
            self.assertEqual(pool.submit(functools.partial(work.add, 1, c=5), 2).result(), 8)
        self.assertRaises(RuntimeError, pool.submit, work.square, 1)

    def test_definitions_go_along_by_source(self) -> None:
        calls = {
            "Grüße, Zoë 🎈": (work.greet, "Zoë 🎈"),
            5.0: (work.distance, work.Point(3, 4)),
            (9, 9): (work.doubled, 3),
            832040: (work.fibonacci, 30),
            "hellob6": (work.uses_modules, "<hello/>"),
            "Square of 16": (work.other_modules_class, 4),
            (True, work.Colour.RED): (work.same_colour, work.Colour.RED),
            "home": (work.goes_away, "home"),
        }
        with hearth.Pool(self.token) as pool:
            futures = {pool.submit(*call): expected for expected, call in calls.items()}
            for future, expected in futures.items():
                self.assertEqual(future.result(), expected)
            account = work.Account("Zoë", 5)
            self.assertEqual(pool.submit(account.deposit, 7).result(), work.Account("Zoë", 12))

    def test_many_calls_at_once_are_few_jobs(self) -> None:
        with hearth.Pool(self.token, keep=True, name="gathered") as pool:
            futures = [pool.submit(work.square, x) for x in range(20)]
            self.assertEqual(sum(future.result() for future in futures), 2470)
        jobs = [job for job in self.server.jobs() if job["spec"]["name"] == "gathered"]
        self.assertEqual(sum(job["spec"]["tasks"] for job in jobs), 20)
        self.assertLess(len(jobs), 10)

    def test_jobs_that_went_well_are_removed(self) -> None:
        with hearth.Pool(self.token, name="passing") as pool:
            pool.submit(work.square, 2).result()
        self.assertEqual([job for job in self.server.jobs() if job["spec"]["name"] == "passing"], [])

    def test_no_more_workers_than_asked_for(self) -> None:
        with hearth.Pool(self.token, max_workers=1) as pool:
            first, second = pool.submit(work.sleep, 300), pool.submit(work.square, 2)
            harness.until(first.running, "the first runs")
            self.assertFalse(second.running())
            first.cancel()
            self.assertEqual(second.result(), 4)
        self.assertRaisesRegex(TypeError, "max_workers=4", hearth.Pool, 4)
        self.assertRaises(ValueError, hearth.Pool, self.token, max_workers=0)

    def test_each_task_is_initialized(self) -> None:
        with hearth.Pool(self.token, initializer=work.set_mark, initargs=("grün",)) as pool:
            self.assertEqual(list(pool.map(work.get_mark, range(3), chunksize=1)), ["grün"] * 3)

    def test_where_the_calls_run_is_asked_for(self) -> None:
        with hearth.Pool(self.token, where="cores >= 1", prefer="fast", priority="batch") as pool:
            self.assertEqual(pool.submit(work.square, 4).result(), 16)
        with hearth.Pool(self.token, prefer="quick") as pool, self.assertRaisesRegex(hearth.HearthError, "prefer: 'quick'"):
            pool.submit(work.square, 4).result()
        with self.assertRaisesRegex(ValueError, "scavenger, batch, normal, urgent"):
            hearth.Pool(self.token, priority="high")

    def test_what_a_pool_cannot_mean_is_said_at_once(self):
        wrong = (
            {"cores": 0},
            {"cores": 1.5},
            {"cores": "a"},
            {"gpus": -1},
            {"retries": -1},
            {"memory": 0},
            {"memory": "1X"},
            {"disk": -1},
            {"time_limit": 0},
            {"time_limit": "x"},
        )
        for options in wrong:
            with self.subTest(options), self.assertRaisesRegex(ValueError, next(iter(options))):
                hearth.Pool(self.token, **options)

    def test_lambdas_and_closures_travel_by_cloudpickle(self) -> None:
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            self.skipTest("python3-cloudpickle is not installed")
        offset = 10
        with hearth.Pool(self.token) as pool:
            self.assertEqual(list(pool.map(lambda x: x + offset, range(3))), [10, 11, 12])


if __name__ == "__main__":
    unittest.main()
