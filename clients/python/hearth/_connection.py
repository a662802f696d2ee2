"""HTTPS to a hub whose identity is pinned: nothing is sent before its certificate was seen to carry that identity."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import IO

from hearth._access import Door
from hearth._certificate import identity_of
from hearth._tunnel import accepts, fresh_key, upgrade_headers
from hearth.errors import HearthError

_TIMEOUT_SECONDS = 90.0  # more than the 20 s after which a stream says something
_CONNECT_SECONDS = 10.0  # a PC that is off answers nothing, and another one may hold the pool
_MAX_IDLE = 8
_MAX_ANSWER_BYTES = 64 << 20
_MAX_REFUSAL_BYTES = 1_000

Body = bytes | IO[bytes] | None


class Connections:
    """Connections to one hub, kept open for the next call. For any number of threads."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._seen: set[bytes] = set()  # certificates that carry the identity
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        # No authority vouches for a hub: check() does what these would.
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def request(self, method: str, path: str, headers: dict[str, str], body: Body = None) -> tuple[int, bytes]:
        """One exchange. Errors: unavailable, unauthenticated (another server)."""
        kept = self._take()
        if kept is not None:
            # The hub may have closed it meanwhile; then a new one answers. Every call of ours may be repeated.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._exchange(kept, method, path, headers, body)
            if body is not None and not isinstance(body, bytes):
                body.seek(0)
        with self._named_errors():
            return self._exchange(self._new(), method, path, headers, body)

    @contextlib.contextmanager
    def stream(self, path: str, headers: dict[str, str], body: bytes) -> Iterator[Stream]:
        with self._named_errors():
            connection = self._new()
            try:
                connection.request("POST", path, body, headers)
                connected = connection.sock  # the connection forgets it when the answer is its last
                yield Stream(connected, connection.getresponse())
            finally:
                connection.close()

    def tunnel(self, path: str, headers: dict[str, str]) -> tuple[ssl.SSLSocket, bytes]:
        """A connection that the hub has made a WebSocket (_tunnel.py), no longer blocking, and what has come on it
        already. Errors: also what it was refused for."""
        with self._named_errors():
            connection, key = self._new(), fresh_key()
            try:
                connection.request("GET", path, headers=headers | upgrade_headers(key))
                connected = connection.sock
                answer = connection.getresponse()
                if answer.status != 101:
                    code = {401: "unauthenticated", 403: "permission_denied", 404: "not_found"}
                    text = answer.read(_MAX_REFUSAL_BYTES).decode(errors="replace").strip()
                    raise HearthError(code.get(answer.status, "failed_precondition"), text)
                if not accepts(answer.getheader("Sec-WebSocket-Accept"), key):
                    raise ConnectionError("what answers speaks no WebSocket")
                connected.setblocking(False)
                received = b""
                with answer.fp as reader, contextlib.suppress(ssl.SSLWantReadError):
                    received = reader.peek()
                return connected, received
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def check(self, certificate: bytes | None) -> None:
        if certificate in self._seen:
            return
        if certificate is None or identity_of(certificate) != self._door.identity:
            raise HearthError(
                "unauthenticated",
                f"what answers at {self._door.host}:{self._door.port} is another server than the token's; if the pool "
                "was set up anew, make a new token there with `hearth token new NAME`",
            )
        self._seen.add(certificate)

    def _new(self) -> _Connection:
        return _Connection(self._door, self._context, self)

    def _take(self) -> _Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _exchange(
        self, connection: _Connection, method: str, path: str, headers: dict[str, str], body: Body
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read(_MAX_ANSWER_BYTES if method == "POST" else None)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            keep = answer.isclosed() and not answer.will_close and len(self._idle) < _MAX_IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return answer.status, content

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            where, why = f"{self._door.host}:{self._door.port}", str(error) or type(error).__name__
            raise HearthError("unavailable", f"the hub at {where} does not answer: {why}") from error


class Stream:
    """The answer to a streaming call, read as it comes. cut() ends it from another thread."""

    def __init__(self, connected: socket.socket, response: http.client.HTTPResponse) -> None:
        self._socket = connected
        self._response = response
        self.status = response.status

    def read(self, count: int) -> bytes:
        """Exactly so many bytes. Raises ConnectionError if they do not come."""
        content = bytearray()
        while len(content) < count:
            piece = self._response.read(count - len(content))
            if not piece:
                raise ConnectionResetError("the stream ended")
            content += piece
        return bytes(content)

    def cut(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # beneath TLS, whose state is the reader's


class _Connection(http.client.HTTPSConnection):
    def __init__(self, door: Door, context: ssl.SSLContext, owner: Connections) -> None:
        super().__init__(door.host, door.port, timeout=_CONNECT_SECONDS, context=context)
        self._owner = owner

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(_TIMEOUT_SECONDS)
        try:
            self._owner.check(self.sock.getpeercert(binary_form=True))
        except BaseException:
            self.close()
            raise
