"""Chunks of calls, their way into jobs, and their results' way back.

A chunk is what one task does. Chunks of one function that wait at the same time become one job, an array: while one is
being submitted, the next gather. Every task of an array sees all of its inputs, so an array takes no more than
_ARRAY_BYTES of them, and a larger chunk has a job to itself.

Three kinds of thread, none of which a program sees: one submits, one reads the hub's stream of changes, a few fetch
results and settle futures.
"""

from __future__ import annotations

import base64
import collections
import concurrent.futures
import contextlib
import hashlib
import itertools
import logging
import pickle
import queue
import struct
import threading
from collections.abc import Callable
from concurrent.futures import _base
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hearth import _protobuf, _trees
from hearth._session import Message, Session, blob
from hearth.errors import HearthError, RemoteTraceback, TaskFailed

_FOLDER = "hearth-call"  # as in _task.py
_RESULT = f"{_FOLDER}/out/result"
_FILES = f"{_FOLDER}/out/files/"
_PROGRAM = Path(__file__).with_name("_task.py").read_bytes()
_ARRAY_BYTES = 16 << 20
_ARRAY_TASKS = 10_000
_PAGE = 1_000  # tasks that one call lists
_FETCHERS = 6
_NAME_BYTES = 128
_LOG_BYTES = 2_000  # of what a failed task printed, in its error
_PAUSE_SECONDS = 0.5  # before a broken stream is opened again
_log = logging.getLogger("hearth")


class Future(concurrent.futures.Future):
    """As in the standard library, but a call that runs can be cancelled too: it is ended where it runs."""

    def cancel(self) -> bool:
        with self._condition:
            if self._state == _base.RUNNING:
                self._state = _base.PENDING
        return super().cancel()

    def note_start(self) -> None:
        with self._condition:
            if self._state == _base.PENDING:
                self.set_running_or_notify_cancel()

    def settle(self, value: Any, error: BaseException | None = None) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled meanwhile
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(value)


@dataclass(eq=False)
class Chunk:
    name: str  # the function's
    function: bytes  # the file that tells what is called
    calls: bytes  # pickled
    is_one_call: bool  # its future has the call's own value; else the list that _task.py makes
    future: Future = field(default_factory=Future)
    array: _Array | None = None  # once it is part of a job that will be submitted


@dataclass(eq=False)
class _Array:
    chunks: list[Chunk]
    job: int = 0  # once submitted
    fetching: set[int] = field(default_factory=set)  # tasks whose results are here or on their way
    open: int = 0  # chunks that are not settled
    is_clean: bool = True  # all that ended succeeded
    changed: bool = False
    looked_at: bool = False  # by a thread, now


class Desk:
    """Takes chunks in and settles their futures. `spec`: a JobSpec without what is the chunks' own. `room`: how many
    tasks at once; 0: as many as there are. `save` is told of each file that a task made, with its content."""

    def __init__(
        self,
        session: Session,
        spec: Message,
        inputs: list[_trees.LocalFile],
        room: int,
        keep: bool,
        save: Callable[[_trees.TreeFile, bytes], None],
    ) -> None:
        self._session = session
        self._spec = spec
        self._inputs = inputs
        self._room = room
        self._keep = keep
        self._save = save
        self._state = threading.Condition()  # guards all below
        self._waiting: collections.deque[Chunk] = collections.deque()
        self._open: set[Chunk] = set()  # not settled
        self._sent = 0  # of these, those in arrays
        self._arrays: dict[int, _Array] = {}
        self._closed = False
        self._broken: HearthError | None = None
        self._stopped = threading.Event()
        self._cut: Callable[[], None] = lambda: None
        self._errands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, name=f"hearth-{target.__name__.strip('_')}", daemon=True)
            for target in (self._submit_all, self._watch, *[self._run_errands] * _FETCHERS)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, chunks: list[Chunk]) -> None:
        with self._state:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._open.update(chunks)
            self._waiting.extend(chunks)
            self._state.notify_all()
            broken = self._broken
        for chunk in chunks:
            chunk.future.add_done_callback(lambda _, chunk=chunk: self._on_done(chunk))
            if broken is not None:
                chunk.future.settle(None, broken)

    def shutdown(self, wait: bool, cancel: bool) -> None:
        with self._state:
            self._closed = True
            unfinished = list(self._open) if cancel else []
        for chunk in unfinished:
            if not chunk.future.running():
                chunk.future.cancel()
        if wait:
            self._drain()
        else:
            threading.Thread(target=self._drain, name="hearth-drain", daemon=True).start()

    def terminate(self) -> None:
        """Cancels all there is, running or not."""
        with self._state:
            self._closed = True
            unfinished = list(self._open)
        for chunk in unfinished:
            chunk.future.cancel()

    def _drain(self) -> None:
        with self._state:
            while self._open:
                self._state.wait()
            first = not self._stopped.is_set()
            self._stopped.set()
        if first:
            with self._state:
                self._state.notify_all()
                self._cut()
            self._session.close()  # what is still to be said is said once, or not
            for _ in range(_FETCHERS):
                self._errands.put(None)
        for thread in self._threads:  # whoever else drains: a future's callbacks are still running in one of them
            if thread is not threading.current_thread():
                thread.join()
        self._session.close()

    def _on_done(self, chunk: Chunk) -> None:
        """Settled, or cancelled by the program."""
        cancelled = chunk.future.cancelled()
        if cancelled:
            chunk.future.set_running_or_notify_cancel()  # tells those who wait for several futures
        with self._state:
            self._open.discard(chunk)
            array = chunk.array
            if array is not None:
                self._sent -= 1
                array.open -= 1
                array.is_clean &= not cancelled and chunk.future.exception() is None
                if array.open == 0 and array.job:
                    del self._arrays[array.job]
                    self._errands.put(lambda: self._close_job(array))
            self._state.notify_all()

    # --- submitting

    def _submit_all(self) -> None:
        while (array := self._gather()) is not None:
            try:
                self._send(array)
            except Exception as error:
                for chunk in array.chunks:
                    chunk.future.settle(None, error)

    def _gather(self) -> _Array | None:
        """What can go in one array, as soon as there is anything and room for it. None: no more will come."""
        with self._state:
            while not self._has_next():
                if self._stopped.is_set():
                    return None
                self._state.wait()
            array = _Array([])
            size = 0
            while self._has_next() and len(array.chunks) < _ARRAY_TASKS:
                chunk = self._waiting[0]
                size += len(chunk.calls)
                if array.chunks and (size > _ARRAY_BYTES or chunk.function != array.chunks[0].function):
                    break
                self._waiting.popleft()
                array.chunks.append(chunk)
                chunk.array = array
                self._sent += 1
            array.open = len(array.chunks)
            return array

    def _has_next(self) -> bool:
        while self._waiting and self._waiting[0] not in self._open:
            self._waiting.popleft()  # cancelled
        return bool(self._waiting) and (self._room == 0 or self._sent < self._room)

    def _send(self, array: _Array) -> None:
        files = {
            "task.py": _PROGRAM,
            "function": array.chunks[0].function,
            "chunks": _joined([chunk.calls for chunk in array.chunks]),
        }
        digests = {name: hashlib.sha256(content).digest() for name, content in files.items()}
        entries = [file.entry for file in self._inputs]
        entries += [_trees.TreeFile(f"{_FOLDER}/{name}", digests[name], len(files[name])) for name in files]
        tree = _trees.encode(entries)
        tree_digest = hashlib.sha256(tree).digest()
        contents = {digests[name]: (lambda content=files[name]: contextlib.nullcontext(content)) for name in files}
        contents |= {file.entry.sha256: (lambda source=file.source: source.open("rb")) for file in self._inputs}
        contents[tree_digest] = lambda: contextlib.nullcontext(tree)
        spec = {
            **self._spec,
            "name": self._spec.get("name") or array.chunks[0].name.encode()[:_NAME_BYTES].decode(errors="ignore"),
            "argv": ["python3", f"{_FOLDER}/task.py", "{i}"],
            "tasks": len(array.chunks),
            "inputs": blob(tree_digest, len(tree)),
            "outputs": [f"{_FOLDER}/out/**"],
        }
        job = self._session.submit(spec, contents)
        with self._state:
            array.job = job
            if array.open == 0:  # all cancelled meanwhile
                self._errands.put(lambda: self._close_job(array))
                return
            self._arrays[job] = array
        self._notice(array)

    def _close_job(self, array: _Array) -> None:
        try:
            if not array.is_clean:
                self._session.call("JobService/Cancel", {"jobId": str(array.job)})
            elif not self._keep:
                self._session.call("JobService/Remove", {"jobId": str(array.job)})
        except HearthError as error:
            _log.debug("job %d is left as it is: %s", array.job, error)

    # --- watching

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._session.stream("NodeService/Watch", {}) as (messages, cut):
                    with self._state:
                        self._cut = cut
                    for message in messages:
                        self._read(message)
                        if self._stopped.is_set():
                            return
            except HearthError as error:
                if not error.is_passing and not self._stopped.is_set():
                    return self._break(error)
                _log.debug("watching the pool: %s", error)
            self._stopped.wait(_PAUSE_SECONDS)

    def _read(self, message: Message) -> None:
        told = {int(job["id"]) for job in message.get("jobs", [])}
        told.update(map(int, message.get("removedJobs", [])))
        with self._state:
            # A snapshot holds the newest jobs only, and whatever changed while nobody watched.
            changed = [array for job, array in self._arrays.items() if job in told or message.get("snapshot")]
        for array in changed:
            self._notice(array)

    def _break(self, error: HearthError) -> None:
        """The pool does not let this program in any more."""
        with self._state:
            self._broken = error
            lost = list(self._open)
        for chunk in lost:
            chunk.future.settle(None, error)

    # --- fetching

    def _run_errands(self) -> None:
        while (errand := self._errands.get()) is not None:
            errand()

    def _notice(self, array: _Array) -> None:
        with self._state:
            array.changed = True
            if array.looked_at:
                return
            array.looked_at = True
        self._errands.put(lambda: self._look(array))

    def _look(self, array: _Array) -> None:
        """Has the results fetched of tasks that have ended, until nothing has changed meanwhile."""
        while True:
            with self._state:
                if not array.changed or array.open == 0:
                    array.looked_at = False
                    return
                array.changed = False
                unfetched = set(range(len(array.chunks))) - array.fetching
            try:
                self._look_from(array, min(unfetched, default=len(array.chunks)))
            except HearthError as error:
                for chunk in array.chunks:
                    chunk.future.settle(None, error)

    def _look_from(self, array: _Array, first: int) -> None:
        while first < len(array.chunks):
            request = {"jobId": str(array.job), "firstTask": first, "taskLimit": _PAGE}
            reply = self._session.call("JobService/Get", request)
            for task in reply.get("tasks", []):
                self._take(array, task)
            job = reply["job"]
            touched = sum(job.get(state, 0) for state in ("running", "succeeded", "failed", "cancelled"))
            first += _PAGE
            if first >= touched:  # tasks are begun in their order
                return

    def _take(self, array: _Array, task: Message) -> None:
        index, state = task.get("index", 0), task["state"].removeprefix("TASK_STATE_")
        if state == "RUNNING":
            array.chunks[index].future.note_start()
        elif state != "PENDING" and index not in array.fetching:
            array.fetching.add(index)
            self._errands.put(lambda: self._fetch(array, index, task))

    def _fetch(self, array: _Array, index: int, task: Message) -> None:
        chunk = array.chunks[index]
        try:
            if task["state"] != "TASK_STATE_SUCCEEDED":
                raise self._failure(array, index, task)
            results = self._results(task["outcome"]["outputs"]["sha256"])
            if not chunk.is_one_call:
                chunk.future.settle(results)
            elif results[0][0]:
                chunk.future.settle(results[0][1])
            else:
                raise exception_of(results[0])
        except BaseException as error:  # whatever unpickling runs into, too
            chunk.future.settle(None, error)

    def _results(self, tree: str) -> list[tuple]:
        results = b""
        for file in _trees.decode(self._session.get(tree)):
            content = self._session.get(base64.b64encode(file.sha256).decode())
            if file.path == _RESULT:
                results = content
            elif file.path.startswith(_FILES):
                name = file.path.removeprefix(_FILES)
                self._save(_trees.TreeFile(name, file.sha256, file.size, file.executable), content)
        return pickle.loads(results)

    def _failure(self, array: _Array, index: int, task: Message) -> TaskFailed:
        outcome = task.get("outcome", {})
        reason = outcome.get("reason", "").removeprefix("FAILURE_REASON_")
        why = outcome.get("message") or "it was cancelled"
        where = f"job {array.job}, task {index}" + (f" on {task['node']}" if task.get("node") else "")
        printed = self._printed(outcome)
        message = f"{array.chunks[index].name}: {why} ({where})" + (f"\n{printed}" if printed else "")
        return TaskFailed(message, array.job, index, reason)

    def _printed(self, outcome: Message) -> str:
        try:
            records = list(_protobuf.delimited(self._session.get(outcome["log"]["sha256"])))
            text = b"".join(dict(_protobuf.fields(record)).get(2, b"") for record in records[-100:])
        except (KeyError, ValueError, TypeError, HearthError):
            return ""
        return text[-_LOG_BYTES:].decode(errors="replace").strip()


def exception_of(failure: tuple) -> BaseException:
    """What a call raised, with the traceback that it had there as its cause."""
    _, spelled, text, traceback = failure
    error: Any = None
    with contextlib.suppress(Exception):
        error = pickle.loads(spelled) if spelled is not None else None
    if not isinstance(error, BaseException):
        error = HearthError("unknown", text)
    error.__cause__ = RemoteTraceback(traceback)
    return error


def _joined(chunks: list[bytes]) -> bytes:
    """As _task.py reads them: where each begins and the last ends, then all of them."""
    begins = list(itertools.accumulate(map(len, chunks), initial=8 * (len(chunks) + 1)))
    return struct.pack(f"<{len(begins)}Q", *begins) + b"".join(chunks)
