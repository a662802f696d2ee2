"""As much of protobuf's encoding as two messages need: trees (_trees.py) and logs."""

from __future__ import annotations

from collections.abc import Iterator

Value = bytes | int


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def bytes_field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value) if value else b""


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of the two kinds used here, others are passed over. Raises ValueError."""
    reader = _Reader(message)
    while reader.has_more():
        key = reader.number()
        kind = key & 7
        if kind == 0:
            yield key >> 3, reader.number()
        elif kind == 2:
            yield key >> 3, reader.take(reader.number())
        elif kind in (1, 5):
            reader.take(8 if kind == 1 else 4)
        else:
            raise ValueError("an unknown kind of field")


def delimited(messages: bytes) -> Iterator[bytes]:
    """Messages that each follow their length. Raises ValueError."""
    reader = _Reader(messages)
    while reader.has_more():
        yield reader.take(reader.number())


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def has_more(self) -> bool:
        return self._at < len(self._content)

    def take(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("it is cut off")
        self._at += count
        return taken

    def number(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number without end")
