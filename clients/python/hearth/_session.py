"""The hub's API as a program uses it: calls in JSON, one stream, blobs. For any number of threads.

A session runs out, and some calls want a proof of the last minute: the hub then says `unauthenticated`, and the call is
repeated with a new session. A hub that is away may come back, or another may hold the pool now, so a call looks for
one for a while before it fails.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from hearth._access import Access, Door, door_at
from hearth._connection import Body, Connections, Stream
from hearth.errors import HearthError

_PATIENCE_SECONDS = 120.0  # a hub that is started again takes a few
_LONGEST_PAUSE_SECONDS = 3.0
_MOST_TAKE_OVERS = 3  # that one submission lives through
_END_OF_STREAM = 2
_MAX_MESSAGE_BYTES = 64 << 20

Message = dict[str, Any]
Contents = dict[bytes, Callable[[], contextlib.AbstractContextManager[Body]]]  # by SHA-256; opened if they are wanted
T = TypeVar("T")


class Session:
    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()  # held while a proof is made: who needs one at the same time shares it
        self._door: Door | None = None
        self._connections: Connections | None = None
        self._session = ""
        self._closed = False

    def call(self, method: str, request: Message) -> Message:
        """`method` is "JobService/Submit"; the messages are those of proto/hearth/v1 in protobuf's JSON."""
        body = json.dumps(request).encode()

        def once(connections: Connections, session: str) -> Message:
            headers = {"Content-Type": "application/json", "Connect-Protocol-Version": "1", **_bearer(session)}
            status, answer = connections.request("POST", f"/hearth.v1.{method}", headers, body)
            if status != 200:
                raise _error_of(answer)
            return json.loads(answer)

        return self._insist(once)

    @contextlib.contextmanager
    def stream(self, method: str, request: Message) -> Iterator[tuple[Iterator[Message], Callable[[], None]]]:
        """What a streaming call says, and how to end it from another thread. Does not wait for a hub that is away."""
        body = json.dumps(request).encode()
        headers = {"Content-Type": "application/connect+json", "Connect-Protocol-Version": "1"}
        connections, session = self._proved("")
        envelope = struct.pack(">BI", 0, len(body)) + body
        try:
            with connections.stream(f"/hearth.v1.{method}", {**headers, **_bearer(session)}, envelope) as stream:
                yield _messages(stream), stream.cut
        except HearthError as error:
            if error.code == "unauthenticated":
                self._proved(session)  # if that fails too, it is why
                raise HearthError("unavailable", "the session ran out") from error
            if error.is_passing:
                self._doubt(session)
            raise

    def put_missing(self, contents: Contents) -> int:
        """Stores what the hub lacks of these. How many it lacked."""
        wanted = {"sha256": [base64.b64encode(digest).decode() for digest in contents]}
        missing = self.call("BlobService/Missing", wanted).get("sha256", [])
        for spelled in missing:
            digest = base64.b64decode(spelled)

            def once(connections: Connections, session: str, digest: bytes = digest) -> None:
                with contents[digest]() as body:
                    headers = {"Content-Type": "application/octet-stream", **_bearer(session)}
                    if body is not None and not isinstance(body, bytes):
                        headers["Content-Length"] = str(_size_of(body))
                    status, answer = connections.request("PUT", f"/blob/{digest.hex()}", headers, body)
                    if status not in (200, 201):
                        raise _blob_error(status, answer)

            self._insist(once)
        return len(missing)

    def submit(self, spec: Message, contents: Contents) -> int:
        """A job that refers to `contents`, as of put_missing(). Where another hub takes over between the two, it lacks
        them, and is given them."""
        request = {"spec": spec, "requestId": base64.b64encode(secrets.token_bytes(16)).decode()}
        self.put_missing(contents)
        for _ in range(_MOST_TAKE_OVERS):
            try:
                return int(self.call("JobService/Submit", request)["jobId"])
            except HearthError as error:
                if error.code != "failed_precondition" or self.put_missing(contents) == 0:
                    raise
        return int(self.call("JobService/Submit", request)["jobId"])

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob (base64, as messages spell it), verified."""
        digest = base64.b64decode(sha256)

        def once(connections: Connections, session: str) -> bytes:
            status, content = connections.request("GET", f"/blob/{digest.hex()}", _bearer(session))
            if status != 200:
                raise _blob_error(status, content)
            if hashlib.sha256(content).digest() != digest:
                raise HearthError("data_loss", f"the blob {digest.hex()} came damaged")
            return content

        return self._insist(once)

    def tunnel(self, job: int, task: int, port: int) -> tuple[ssl.SSLSocket, bytes]:
        """To a port of a running task's own loopback. Waits for a hub that is away, not for the task or its program."""
        path = f"/forward?job={job}&task={task}&port={port}"
        return self._insist(lambda connections, session: connections.tunnel(path, _bearer(session)))

    def close(self) -> None:
        """No call waits for the hub any more."""
        self._closed = True
        if self._connections is not None:
            self._connections.close()

    def _insist(self, once: Callable[[Connections, str], T]) -> T:
        end = time.monotonic() + _PATIENCE_SECONDS
        pause, session = 0.1, ""
        while True:
            try:
                connections, session = self._proved(session)
                try:
                    return once(connections, session)
                except HearthError as error:
                    if error.code != "unauthenticated":
                        raise
                connections, session = self._proved(session)
                return once(connections, session)
            except HearthError as error:
                if not error.is_passing or self._closed or time.monotonic() + pause > end:
                    raise
                self._doubt(session)
            time.sleep(pause)
            pause, session = min(pause * 2, _LONGEST_PAUSE_SECONDS), ""

    def _proved(self, refused: str) -> tuple[Connections, str]:
        """A session other than the one that was refused."""
        with self._lock:
            if self._connections is None or not self._session or self._session == refused:
                self._session = ""
                door, self._session = self._access.open(self._prove)
                self._connections_to(door)
            assert self._connections is not None
            return self._connections, self._session

    def _doubt(self, session: str) -> None:
        """Its hub did not answer, or stands by: the next call asks anew which one holds the pool."""
        with self._lock:
            if self._session == session:
                self._session = ""

    def _prove(self, door: Door, device: int, secret: bytes) -> tuple[str, list[Door]]:
        request = {"deviceId": str(device), "secret": base64.b64encode(secret).decode()}
        headers = {"Content-Type": "application/json", "Connect-Protocol-Version": "1"}
        body = json.dumps(request).encode()
        path = "/hearth.v1.PairingService/Prove"
        status, answer = self._connections_to(door).request("POST", path, headers, body)
        if status != 200:
            raise _error_of(answer)
        reply = json.loads(answer)
        others = reply.get("otherHubs", [])
        return reply["token"], [door_at(hub["endpoint"], base64.b64decode(hub["identityKey"])) for hub in others]

    def _connections_to(self, door: Door) -> Connections:
        """Those there are, unless the hub has moved."""
        if self._connections is None or self._door != door:
            if self._connections is not None:
                self._connections.close()
            self._door, self._connections = door, Connections(door)
        return self._connections


def blob(digest: bytes, size: int) -> Message:
    return {"sha256": base64.b64encode(digest).decode(), "size": str(size)}


def _bearer(session: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {session}"}


def _size_of(body: Any) -> int:
    size = body.seek(0, 2)
    body.seek(0)
    return size


def _messages(stream: Stream) -> Iterator[Message]:
    if stream.status != 200:
        raise _error_of(b"")
    while True:
        flags, length = struct.unpack(">BI", stream.read(5))
        if length > _MAX_MESSAGE_BYTES:
            raise HearthError("internal", "the hub sent a message that is too large")
        message = json.loads(stream.read(length))
        if not flags & _END_OF_STREAM:
            yield message
        elif "error" in message:
            raise HearthError(message["error"].get("code", "unknown"), message["error"].get("message", ""))
        else:
            return


def _error_of(answer: bytes) -> HearthError:
    try:
        error = json.loads(answer)
        return HearthError(str(error["code"]), str(error.get("message", "")))
    except (ValueError, KeyError, TypeError):
        return HearthError("unavailable", "what answers is no Hearth server, or it is going down")


def _blob_error(status: int, answer: bytes) -> HearthError:
    code = {401: "unauthenticated", 404: "not_found", 507: "resource_exhausted"}.get(status, "unavailable")
    return HearthError(code, answer[:1000].decode(errors="replace"))
