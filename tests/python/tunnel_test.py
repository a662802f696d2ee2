"""Frames of the way to a task's port, as far as they need no hub; ClusterTest goes through one."""

import unittest

import harness  # noqa: F401  (finds the package)

from hearth import _tunnel


def from_server(kind: int, content: bytes) -> bytearray:
    """As frame(), without a mask, as a server sends it."""
    framed = _tunnel.frame(kind, content)
    head = len(framed) - len(content) - 4
    return bytearray(framed[:1] + bytes([framed[1] & 0x7F]) + framed[2:head] + content)


class TunnelTest(unittest.TestCase):
    def test_frames_come_out_as_they_went_in(self) -> None:
        for size in (0, 1, 125, 126, 65_535, 65_536):
            content = bytes(size)
            first = from_server(2, content)
            for cut in (0, 1, len(first) - 1):
                self.assertIsNone(_tunnel.take_frame(first[:cut]))
            received = first + from_server(9, b"ping")
            self.assertEqual(_tunnel.take_frame(received), (2, content))
            self.assertEqual(_tunnel.take_frame(received), (9, b"ping"))
            self.assertEqual(received, b"")

    def test_what_is_no_frame_is_refused(self) -> None:
        for wrong in (
            _tunnel.frame(2, b"masked"),
            b"\x02\x01x",  # not the last of its message
            b"\x82\x7f" + (65_537).to_bytes(8, "big"),
            b"\x82\x7f" + b"\xff" * 8,
        ):
            with self.assertRaises(ConnectionError):
                _tunnel.take_frame(bytearray(wrong))


if __name__ == "__main__":
    unittest.main()
