"""The pool as an executor."""

from __future__ import annotations

import atexit
import concurrent.futures
import os
import pickle
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hearth import _trees
from hearth._access import access_for
from hearth._jobs import Chunk, Desk, Future, exception_of
from hearth._session import Message, Session
from hearth._travel import PROTOCOL, NeedsModule, Parcel, function_name
from hearth.errors import CannotTravel, HearthError

_TASKS_PER_CORE = 4  # so that the last ones to end do not keep the others waiting
_CLASSES = ("scavenger", "batch", "normal", "urgent")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Pool(concurrent.futures.Executor):
    """Runs functions on the computers of a Hearth pool, like a ProcessPoolExecutor.

    token        the line that `hearth token new NAME` shows; else $HEARTH_TOKEN; else this user's own `hearth` is asked
    environment  what the functions see as their system, by name (`hearth env list`); "": each node's own /usr, which
                 must have Python, and which only ring home is shown
    cores, memory ("2G"), disk ("50G", else files are part of the memory), gpus, time_limit (seconds)
                 of one task. A submitted call is a task; of a map, each chunk
    retries      how often a task is tried again whose process failed; one that was lost with its node always is
    inputs       files and folders that the functions find in their working directory
    outputs      patterns ("*.png") of files that they leave there, which come back into the folder `into`; what a
                 function that raises left comes back too
    variables    environment variables
    net_hosts    what they may reach, "a.example:443"; only where nodes' owners admit that
    where        a condition on the computers, as of `hearth run --where`: "gpu.memory >= 8G && os == 'debian'"
    prefer       rather these of those that have room, as of `hearth run --prefer`: "fast", "frugal", "cheap"
    priority     "scavenger", "batch", "normal" or "urgent": a higher class goes first
    max_workers  how many tasks at once, at most; None: as many as the pool has room for
    initializer, initargs
                 called once in each task, before its calls
    keep         leave the jobs of calls that went well in the pool's list, with what they printed
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        environment: str = "",
        cores: int = 1,
        memory: str | int = "1G",
        disk: str | int = 0,
        gpus: int = 0,
        time_limit: float | None = None,
        retries: int = 0,
        inputs: Sequence[str | os.PathLike[str]] = (),
        outputs: Sequence[str] = (),
        into: str | os.PathLike[str] = ".",
        variables: Mapping[str, str] | None = None,
        net_hosts: Sequence[str] = (),
        where: str = "",
        prefer: str = "",
        priority: str = "normal",
        name: str = "",
        max_workers: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        keep: bool = False,
    ) -> None:
        if token is not None and not isinstance(token, str):
            raise TypeError(f"Pool({token!r}): the first argument is a token; for workers: max_workers={token!r}")
        if priority not in _CLASSES:
            raise ValueError(f"priority={priority!r}: one of {', '.join(_CLASSES)}")
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers={max_workers}: at least 1, or None")
        for what, count, least in (("cores", cores, 1), ("gpus", gpus, 0), ("retries", retries, 0)):
            if not isinstance(count, int) or count < least:
                raise ValueError(f"{what}={count!r}: a whole number from {least} on")
        if time_limit is not None and not (isinstance(time_limit, (int, float)) and time_limit > 0):
            raise ValueError(f"time_limit={time_limit!r}: seconds, more than 0, or None")
        if bytes_of("memory", memory) <= 0 or bytes_of("disk", disk) < 0:
            raise ValueError(f"memory={memory!r}, disk={disk!r}: memory is more than 0, and disk not less")
        self._files = _trees.scan(inputs)
        self._given = frozenset(file.entry.path.partition("/")[0].removesuffix(".py") for file in self._files)
        self._outputs = [_checked_pattern(pattern) for pattern in outputs]
        self._saved = _Saved(Path(into))
        self._initialize = None if initializer is None else (initializer, tuple(initargs))
        self._cores = cores
        self._session = Session(access_for(token))
        spec: Message = {
            "name": name,
            "environment": environment,
            "resources": {
                "cores": cores,
                "memoryBytes": str(bytes_of("memory", memory)),
                "diskBytes": str(bytes_of("disk", disk)),
                "gpus": gpus,
            },
            "retries": retries,
            "variables": dict(variables or {}),
            "netHosts": list(net_hosts),
            "where": where,
            "prefer": prefer,
            "priority": "PRIORITY_CLASS_" + priority.upper(),
        }
        if time_limit is not None:
            spec["timeLimitSeconds"] = str(max(1, round(time_limit)))
        self._desk = Desk(self._session, spec, self._files, max_workers or 0, keep, self._saved.save)
        _desks.add(self._desk)
        weakref.finalize(self, self._desk.shutdown, wait=False, cancel=False).atexit = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        (chunk,) = self._pack(fn, [[(args, kwargs)]], is_one_call=True)
        self._desk.submit([chunk])
        return chunk.future

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
    ) -> Iterator[Any]:
        """As Executor.map(). Without a chunksize the items are spread over the pool as it is now."""
        end = None if timeout is None else time.monotonic() + timeout
        calls = [(args, {}) for args in zip(*iterables)]
        if chunksize is not None and chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        size = chunksize or self._chunk_size(len(calls))
        chunks = self._pack(fn, [calls[at : at + size] for at in range(0, len(calls), size)], is_one_call=False)
        self._desk.submit(chunks)
        return _results([chunk.future for chunk in chunks], end)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._desk.shutdown(wait, cancel_futures)

    def terminate(self) -> None:
        """Ends everything that was asked for, what runs included."""
        self._desk.terminate()

    def cores(self) -> int:
        """How many the pool's connected computers offer now."""
        return self._session.call("NodeService/Status", {}).get("offered", {}).get("cores", 0)

    def __reduce__(self) -> NoReturn:
        raise CannotTravel("a Pool is this program's own and cannot be sent elsewhere")

    def _chunk_size(self, count: int) -> int:
        tasks = _TASKS_PER_CORE * max(1, self.cores() // max(1, self._cores))
        return max(1, -(-count // tasks))

    def _pack(self, fn: Callable[..., Any], chunks: list[list[Any]], is_one_call: bool) -> list[Chunk]:
        what = function_name(fn)
        try:
            function, calls = self._pack_by_source(fn, what, chunks)
        except CannotTravel as error:
            cloudpickle = _cloudpickle()
            if cloudpickle is None or isinstance(error, NeedsModule):
                raise
            function, calls = self._pack_by(cloudpickle, fn, what, chunks)
        return [Chunk(what, function, one, is_one_call) for one in calls]

    def _pack_by_source(self, fn: Callable[..., Any], what: str, chunks: list[list[Any]]) -> tuple[bytes, list[bytes]]:
        parcel = Parcel(self._given)
        function = parcel.pickle((fn, self._initialize), what)
        calls = [parcel.pickle(chunk, f"an argument of {what}") for chunk in chunks]
        return self._function_file(function, parcel.definitions(), None), calls

    def _pack_by(
        self, cloudpickle: Any, fn: Callable[..., Any], what: str, chunks: list[list[Any]]
    ) -> tuple[bytes, list[bytes]]:
        try:
            function = cloudpickle.dumps((fn, self._initialize), PROTOCOL)
            calls = [cloudpickle.dumps(chunk, PROTOCOL) for chunk in chunks]
        except Exception as error:
            raise CannotTravel(f"{what} and its arguments cannot be pickled: {error}") from error
        return self._function_file(function, [], cloudpickle.__version__), calls

    def _function_file(self, function: bytes, definitions: list[Any], cloudpickle: str | None) -> bytes:
        return pickle.dumps(
            {
                "function": function,
                "definitions": definitions,
                "cloudpickle": cloudpickle,
                "python": list(sys.version_info[:2]),
                "outputs": self._outputs,
            },
            PROTOCOL,
        )


class _Saved:
    """Files that tasks made, written into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._contents: dict[str, bytes] = {}  # SHA-256 by path

    def save(self, file: _trees.TreeFile, content: bytes) -> None:
        with self._lock:
            if self._contents.setdefault(file.path, file.sha256) != file.sha256:
                message = f"two calls made different files {file.path}: name them after what they are made from"
                raise HearthError("already_exists", message)
            target = self._folder / file.path
            if not target.parent.resolve().is_relative_to(self._folder.resolve()):
                message = f"{file.path} would be written through a link out of {self._folder}"
                raise HearthError("permission_denied", message)
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
            fresh.write_bytes(content)
            fresh.chmod(fresh.stat().st_mode | (0o111 if file.executable else 0))
            os.replace(fresh, target)


def _results(futures: list[Future], end: float | None) -> Iterator[Any]:
    try:
        futures.reverse()
        while futures:
            left = None if end is None else end - time.monotonic()
            results = futures[-1].result(left)
            futures.pop()
            for result in results:
                if not result[0]:
                    raise exception_of(result)
                yield result[1]
    finally:
        for future in futures:
            future.cancel()


def _checked_pattern(pattern: str) -> str:
    if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
        raise ValueError(f"outputs: {pattern!r}: a pattern is relative to the working directory, without '..'")
    return pattern


def bytes_of(name: str, size: str | int) -> int:
    if isinstance(size, int):
        return size
    number, unit = size.rstrip("KMGT"), size.lstrip("0123456789.")
    try:
        return round(float(number) * _UNITS[unit])
    except (ValueError, KeyError):
        raise ValueError(f"{name}={size!r}: a number of bytes, or a size such as '512M' or '2G'") from None


def _cloudpickle() -> Any:
    try:
        import cloudpickle
    except ImportError:
        return None
    return cloudpickle


_desks: weakref.WeakSet[Desk] = weakref.WeakSet()


@atexit.register
def _finish() -> None:
    """A program that ends waits for what it asked for, as with a ProcessPoolExecutor."""
    for desk in list(_desks):
        desk.shutdown(wait=True, cancel=False)
