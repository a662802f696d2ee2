"""What a connection rests on: signatures and certificates, checked against OpenSSL's."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness  # noqa: F401  (the path to the client)
from hearth import _certificate, _ed25519

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493


class Ed25519Test(unittest.TestCase):
    def test_signatures_of_the_standard_are_verified(self) -> None:
        for key, message, signature in VECTORS:
            self.assertTrue(_ed25519.verify(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)))

    def test_any_change_is_noticed(self) -> None:
        key, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
        for at in range(64):
            changed = bytearray(signature)
            changed[at] ^= 1
            self.assertFalse(_ed25519.verify(key, message, bytes(changed)), at)
        self.assertFalse(_ed25519.verify(key, message + b"x", signature))
        self.assertFalse(_ed25519.verify(bytes.fromhex(VECTORS[0][0]), message, signature))
        self.assertFalse(_ed25519.verify(key[:31], message, signature))
        self.assertFalse(_ed25519.verify(key, message, signature[:63]))
        self.assertFalse(_ed25519.verify(b"\xff" * 32, message, signature))

    def test_a_second_spelling_of_a_signature_is_refused(self) -> None:
        key, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
        scalar = int.from_bytes(signature[32:], "little") + ORDER
        self.assertFalse(_ed25519.verify(key, message, signature[:32] + scalar.to_bytes(32, "little")))

    def test_openssl_agrees(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("key.pem", "public.der", "message", "signature")]
            key, public, message, signature = map(str, files)
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
            subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER", "-out", public], check=True)
            files[2].write_bytes(os.urandom(200))
            sign = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message, "-out", signature]
            subprocess.run(sign, check=True)
            raw_key = files[1].read_bytes()[-32:]
            self.assertTrue(_ed25519.verify(raw_key, files[2].read_bytes(), files[3].read_bytes()))


class CertificateTest(unittest.TestCase):
    def test_what_is_no_certificate_has_no_identity(self) -> None:
        for content in (b"", b"\x30", b"\x30\x80", b"\x30\x03\x30\x01\x00", b"\x30\x82\xff\xff", os.urandom(300)):
            self.assertIsNone(_certificate.identity_of(content))

    def test_another_programs_certificate_has_none(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "certificate.der"
            options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -outform DER".split()
            files = ["-keyout", str(Path(folder) / "key.pem"), "-out", str(made)]
            subprocess.run(["openssl", "req", *options, *files], check=True, capture_output=True)
            self.assertIsNone(_certificate.identity_of(made.read_bytes()))


if __name__ == "__main__":
    unittest.main()
