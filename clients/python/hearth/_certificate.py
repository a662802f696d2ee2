"""Who a hub's certificate says the hub is: an extension with the hub's Ed25519 key and that key's signature over the
certificate's own key (src/net/tls.h). A hub makes a new certificate at each start; the identity stays."""

from __future__ import annotations

from hearth import _ed25519

_EXTENSION = bytes.fromhex("2b0601040183cc080101")  # 1.3.6.1.4.1.58888.1.1
_CONTEXT = b"hearth-tls/1"
_SEQUENCE, _OBJECT, _OCTETS, _VERSION, _EXTENSIONS = 0x30, 0x06, 0x04, 0xA0, 0xA3

# (tag, content, the whole element)
_Element = tuple[int, bytes, bytes]


def identity_of(certificate: bytes) -> bytes | None:
    """The 32 bytes of the key that signed for the certificate (DER); None if there is none, or it did not."""
    try:
        parts = _children(_children(_children(certificate)[0][1])[0][1])
        if parts[0][0] == _VERSION:
            parts = parts[1:]
        public_key = parts[5][2]  # after serial, algorithm, issuer, validity and subject
        extensions = next(content for tag, content, _ in parts if tag == _EXTENSIONS)
        value = next(filter(None, map(_identity_extension, _children(_children(extensions)[0][1]))))
    except (IndexError, StopIteration):
        return None
    identity, signature = value[:32], value[32:]
    return identity if _ed25519.verify(identity, _CONTEXT + public_key, signature) else None


def _identity_extension(extension: _Element) -> bytes | None:
    parts = _children(extension[1])
    named = parts[0][:2] == (_OBJECT, _EXTENSION)
    return parts[-1][1] if named and parts[-1][0] == _OCTETS else None


def _children(content: bytes) -> list[_Element]:
    """The elements of DER that lie one after the other. IndexError if they are none."""
    found, at = [], 0
    while at < len(content):
        tag, length, start = content[at], content[at + 1], at + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[at + 2 : start], "big")
        if start + length > len(content):
            raise IndexError("cut off")
        found.append((tag, content[start : start + length], content[at : start + length]))
        at = start + length
    return found
