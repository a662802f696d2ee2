"""The joblib backend, against Debian's python3-joblib."""

import math
import unittest

import harness
import work

try:
    import joblib
except ImportError:
    joblib = None


@unittest.skipIf(joblib is None, "python3-joblib is not installed")
class JoblibTest(harness.PoolTest):
    def setUp(self) -> None:
        import hearth.joblib  # noqa: F401  (registers the backend)

        self.enterContext(joblib.parallel_backend("hearth", token=self.token))

    def test_joblib_runs_on_the_pool(self) -> None:
        results = joblib.Parallel(n_jobs=-1)(joblib.delayed(work.square)(x) for x in range(3))
        self.assertEqual(results, [0, 1, 4])
        self.assertEqual(joblib.Parallel(n_jobs=2)([joblib.delayed(math.sqrt)(9)]), [3])

    def test_joblib_gets_the_exception_and_goes_on_afterwards(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            joblib.Parallel(n_jobs=2)(joblib.delayed(work.reciprocal)(x) for x in (1, 0, 2))
        self.assertEqual(joblib.Parallel(n_jobs=2)([joblib.delayed(work.reciprocal)(2)]), [0.5])

    def test_joblib_gives_up_after_its_timeout(self) -> None:
        with self.assertRaises(TimeoutError):
            joblib.Parallel(n_jobs=2, timeout=0.5)(joblib.delayed(work.sleep)(300) for _ in range(2))


if __name__ == "__main__":
    unittest.main()
