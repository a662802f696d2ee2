"""Pool.map, and programs that were written for other executors."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import harness
import hearth
import work


class MapTest(harness.PoolTest):
    def test_map_gives_results_in_their_order(self) -> None:
        with hearth.Pool(self.token) as pool:
            self.assertEqual(list(pool.map(work.square, range(1000))), [x * x for x in range(1000)])
            self.assertEqual(list(pool.map(work.add, [1, 2, 3], [10, 20])), [11, 22])
            self.assertEqual(list(pool.map(work.square, range(5), chunksize=2)), [0, 1, 4, 9, 16])
            self.assertEqual(list(pool.map(work.square, [])), [])
            self.assertRaises(ValueError, pool.map, work.square, [1], chunksize=0)

    def test_a_pool_need_not_be_kept(self) -> None:
        self.assertEqual(list(hearth.Pool(self.token).map(work.square, range(3))), [0, 1, 4])

    def test_map_raises_at_the_items_place(self) -> None:
        with hearth.Pool(self.token) as pool:
            results = pool.map(work.reciprocal, [4, 2, 0, 1], chunksize=4)
            self.assertEqual([next(results), next(results)], [0.25, 0.5])
            with self.assertRaises(ZeroDivisionError) as raised:
                next(results)
        cause = raised.exception.__cause__
        self.assertIsInstance(cause, hearth.RemoteTraceback)
        line = work.reciprocal.__code__.co_firstlineno + 1
        self.assertIn(f'File "{work.__file__}", line {line}, in reciprocal', str(cause))
        self.assertIn("return 1 / x", str(cause))

    def test_map_gives_up_after_its_timeout(self) -> None:
        with hearth.Pool(self.token) as pool:
            with self.assertRaises(TimeoutError):
                next(pool.map(work.sleep, [300], timeout=0.5))
        harness.until(lambda: [job["state"] for job in self.server.jobs()][0] == "JOB_STATE_CANCELLED", "it is ended")

    def test_big_inputs_and_results_travel(self) -> None:
        with hearth.Pool(self.token, keep=True) as pool:
            before = len(self.server.jobs())
            parts = [bytes([65 + i]) * (12 << 20) for i in range(3)]
            found = list(pool.map(work.size_and_ends, parts, chunksize=1))
            self.assertEqual(found, [(12 << 20, part[:1], part[-1:]) for part in parts])
            self.assertEqual(len(self.server.jobs()) - before, 3, "an array's tasks would each see all of them")
            self.assertEqual(len(pool.submit(bytes, 20 << 20).result()), 20 << 20)


class ProgramTest(harness.PoolTest):
    PROGRAM = """
from concurrent.futures import ProcessPoolExecutor, as_completed

LIMIT = 30


def collatz(n):
    steps = 0
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps


def main():
    with ProcessPoolExecutor(max_workers=2) as executor:
        print(list(executor.map(collatz, range(1, LIMIT), chunksize=10)))
        futures = {executor.submit(collatz, n): n for n in (27, 97)}
        print(sorted((futures[done], done.result()) for done in as_completed(futures)))


if __name__ == "__main__":
    main()
"""

    def run_program(self, text: str) -> str:
        environment = self.server.environment | {"HEARTH_TOKEN": self.token}
        with tempfile.TemporaryDirectory(prefix="hearth-e2e-") as folder:
            file = Path(folder) / "program.py"
            file.write_text(text)
            run = subprocess.run([sys.executable, file], env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_one_line_moves_a_program_to_the_pool(self) -> None:
        moved = self.PROGRAM.replace("import ProcessPoolExecutor, as_completed", "import as_completed")
        moved = "from hearth import Pool as ProcessPoolExecutor\n" + moved
        self.assertEqual(self.run_program(moved), self.run_program(self.PROGRAM))

    def test_a_program_that_ends_waits_for_its_calls(self) -> None:
        text = "import hearth, time\n\ndef f(x):\n    return x + 1\n\nfuture = hearth.Pool().submit(f, 1)\n"
        text += "future.add_done_callback(lambda done: (time.sleep(0.3), print(done.result())))\n"
        self.assertEqual(self.run_program(text), "2\n")


if __name__ == "__main__":
    unittest.main()
