"""Python functions on the computers of a Hearth pool.

    import hearth

    with hearth.Pool() as pool:
        print(sum(pool.map(work, range(10_000))))

A Pool is a concurrent.futures.Executor. See the README beside this package.
"""

from hearth.errors import CannotTravel, HearthError, RemoteTraceback, TaskFailed
from hearth.pool import Pool

__all__ = ["CannotTravel", "HearthError", "Pool", "RemoteTraceback", "TaskFailed"]
