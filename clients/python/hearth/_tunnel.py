"""A port of a running task's own loopback, as a port of this computer: the hub hands on what the two say, in the messages
of a WebSocket (RFC 6455), an empty one for the end of what a side has to say."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable

from hearth.errors import HearthError

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PIECE_BYTES = 64 << 10
_MOST_WAITING = 256 << 10  # for a side that does not take it yet
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_log = logging.getLogger("hearth")


def upgrade_headers(key: str) -> dict[str, str]:
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": "hearth-tunnel.1",
    }


def fresh_key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


def accepts(answer: str | None, key: str) -> bool:
    return answer == base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def frame(kind: int, content: bytes) -> bytes:
    """A client's. A mask of zeros is one, too: it protects proxies from what a page sends, and here TLS does."""
    size = len(content)
    if size < 126:
        head = struct.pack(">BB", 0x80 | kind, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, size)
    return head + bytes(4) + content


def take_frame(received: bytearray) -> tuple[int, bytes] | None:
    """Takes the first whole frame out; None: it is not all there. Raises ConnectionError for what is none."""
    if len(received) < 2:
        return None
    size, begin = received[1] & 0x7F, 2
    if size >= 126:
        begin = 4 if size == 126 else 10
        if len(received) < begin:
            return None
        size = int.from_bytes(received[2:begin], "big")
    if received[1] & 0x80 or not received[0] & 0x80 or size > _PIECE_BYTES:
        raise ConnectionError("the hub sent what is no message of a tunnel")
    if len(received) < begin + size:
        return None
    kind, content = received[0] & 0x0F, bytes(received[begin : begin + size])
    del received[: begin + size]
    return kind, content


class Carrier:
    """Carries what a connection and a tunnel say. One thread for both: two may not use one TLS connection at once."""

    def __init__(self, connection: socket.socket, tunnel: ssl.SSLSocket, received: bytes) -> None:
        self._connection = connection
        self._tunnel = tunnel
        self._up = bytearray()  # framed
        self._down = bytearray()
        self._received = bytearray(received)  # from the tunnel, and not taken yet
        self._said_all = False  # the connection
        self._heard_all = False  # and will be told so once it has taken what waits
        self._told_all = False

    def run(self) -> None:
        self._connection.setblocking(False)
        with contextlib.suppress(OSError):  # either is gone
            self._take_frames()
            while not (self._said_all and self._told_all and not self._up):
                self._wait()
                self._read_connection()
                self._read_tunnel()
                self._write()

    def cut(self) -> None:
        """From another thread."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._tunnel, socket.SHUT_RDWR)  # beneath TLS

    def _wait(self) -> None:
        waiting = select.poll()
        of_connection = select.POLLOUT if self._down else 0
        of_connection |= select.POLLIN if not self._said_all and len(self._up) < _MOST_WAITING else 0
        of_tunnel = select.POLLOUT if self._up else 0
        of_tunnel |= select.POLLIN if len(self._down) < _MOST_WAITING else 0
        if of_connection:
            waiting.register(self._connection, of_connection)
        waiting.register(self._tunnel, of_tunnel)
        if not (of_tunnel & select.POLLIN and self._tunnel.pending()):
            waiting.poll()

    def _read_connection(self) -> None:
        if self._said_all or len(self._up) >= _MOST_WAITING:
            return
        with contextlib.suppress(BlockingIOError):
            piece = self._connection.recv(_PIECE_BYTES)
            self._up += frame(_BINARY, piece)
            self._said_all = not piece

    def _read_tunnel(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while len(self._down) < _MOST_WAITING:
                piece = self._tunnel.recv(_PIECE_BYTES)
                if not piece:
                    raise ConnectionError("the tunnel broke")
                self._received += piece
                self._take_frames()

    def _take_frames(self) -> None:
        while (taken := take_frame(self._received)) is not None:
            self._take(*taken)

    def _take(self, kind: int, content: bytes) -> None:
        if kind == _PING:
            self._up += frame(_PONG, content)
        elif kind == _CLOSE:
            raise ConnectionError("the tunnel has ended")
        elif kind == _BINARY:
            self._down += content
            self._heard_all = self._heard_all or not content

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._down:
                del self._down[: self._connection.send(self._down[:_PIECE_BYTES])]
        if self._heard_all and not self._down and not self._told_all:
            self._told_all = True
            self._connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self._up:
                del self._up[: self._tunnel.send(self._up)]


class Forward:
    """Takes connections at 127.0.0.1:port and carries each through a tunnel of its own, which `dial` opens."""

    def __init__(self, dial: Callable[[], tuple[ssl.SSLSocket, bytes]]) -> None:
        self._dial = dial
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[Carrier] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="hearth-forward", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            carriers = list(self._open)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        self._thread.join()
        self._listener.close()
        for carrier in carriers:
            carrier.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), name="hearth-tunnel", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                tunnel, received = self._dial()
            except HearthError as error:
                _log.debug("a connection was refused: %s", error)
                return
            with tunnel:
                carrier = Carrier(connection, tunnel, received)
                with self._lock:
                    self._open.add(carrier)
                    closed = self._closed
                if not closed:
                    carrier.run()
                with self._lock:
                    self._open.discard(carrier)
