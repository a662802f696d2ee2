"""A joblib backend, so that what is written for joblib (a grid search of scikit-learn's, say) runs on the pool:

    import joblib
    import hearth.joblib

    with joblib.parallel_backend("hearth"):
        joblib.Parallel(n_jobs=-1)(joblib.delayed(work)(x) for x in xs)

joblib and what the work needs must be installed where it runs as well. The Pool's options are the backend's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib._parallel_backends import AutoBatchingMixin, ParallelBackendBase, SequentialBackend
from joblib.parallel import register_parallel_backend

from hearth._jobs import Future
from hearth.pool import Pool


class HearthBackend(AutoBatchingMixin, ParallelBackendBase):
    supports_timeout = True
    supports_inner_max_num_threads = True
    # A task costs more here than a message to a process does: small calls go together until they take about this long.
    MIN_IDEAL_BATCH_DURATION = 2
    MAX_IDEAL_BATCH_DURATION = 20

    def __init__(
        self,
        token: str | None = None,
        *,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._token = token
        self._options = options
        self._pool: Pool | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(1, self._open().cores() + 1 + n_jobs)

    def apply_async(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        future = self._open().submit(func)
        if callback is not None:
            future.add_done_callback(lambda done: None if done.cancelled() else callback(done))
        return _Result(future)

    def get_nested_backend(self) -> tuple[ParallelBackendBase, None]:
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None

    def terminate(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def abort_everything(self, ensure_ready: bool = True) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self.terminate()

    def _open(self) -> Pool:
        if self._pool is None:
            threads = str(self.inner_max_num_threads or self._options.get("cores", 1))
            variables = dict.fromkeys(self.MAX_NUM_THREADS_VARS, threads) | dict(self._options.get("variables") or {})
            self._pool = Pool(self._token, **{**self._options, "variables": variables})
        return self._pool


class _Result:
    """As multiprocessing's: joblib asks it by get()."""

    def __init__(self, future: Future) -> None:
        self._future = future

    def get(self, timeout: float | None = None) -> Any:
        return self._future.result(timeout)


register_parallel_backend("hearth", HearthBackend)
