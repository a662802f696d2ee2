"""How a program comes in, and how it is kept out."""

import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from unittest import mock

import harness
import hearth
import work
from hearth._access import Token, access_for
from hearth._session import Session


def changed(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


class TokenTest(harness.PoolTest):
    def assert_refused(self, code: str, token: str) -> str:
        with hearth.Pool(token) as pool:
            with self.assertRaises(hearth.HearthError) as raised:
                pool.submit(work.square, 1).result()
        self.assertEqual(raised.exception.code, code)
        return str(raised.exception)

    def test_a_token_is_told_from_other_text(self) -> None:
        for text in ("", "nothing", self.token[:-1], self.token + "A", self.token.replace("token=1", "token=2")):
            with self.assertRaisesRegex(hearth.HearthError, "this is no token"):
                hearth.Pool(text)

    def test_a_wrong_secret_is_refused(self) -> None:
        secret = self.token.index(".", self.token.index("#token=1.") + 9) + 1
        said = self.assert_refused("unauthenticated", changed(self.token, secret))
        self.assertIn("this token is not known here", said)

    def test_another_identity_is_refused(self) -> None:
        said = self.assert_refused("unauthenticated", changed(self.token, len(self.token) - 43))
        self.assertIn("another server than the token's", said)

    def test_another_server_is_told_nothing(self) -> None:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        with tempfile.TemporaryDirectory(prefix="hearth-e2e-") as folder:
            files = [f"{folder}/key.pem", f"{folder}/certificate.pem"]
            make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout".split()
            subprocess.run([*make, files[0], "-out", files[1]], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files[1], files[0])
            heard = []

            def listen() -> None:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(1000))

            thread = threading.Thread(target=listen)
            thread.start()
            redirected = re.sub(r":\d+/", f":{listener.getsockname()[1]}/", self.token)
            with self.assertRaisesRegex(hearth.HearthError, "another server than the token's"):
                Session(access_for(redirected)).call("NodeService/Status", {})
            thread.join()
        self.assertEqual(heard, [b""])

    def test_the_secret_is_not_shown(self) -> None:
        token = Token.parse(self.token)
        self.assertNotIn(str(token.secret), repr(token))
        self.assertNotIn(self.token.split(".")[-2], repr(token))

    def test_a_revoked_token_ends_what_it_waits_for(self) -> None:
        token = self.server.token("doomed")
        with hearth.Pool(token) as pool:
            future = pool.submit(work.sleep, 300)
            harness.until(future.running, "it runs")
            self.server.cli("devices", "revoke", "doomed")
            self.assertEqual(future.exception(timeout=harness.LIMIT_SECONDS).code, "unauthenticated")
            self.assertEqual(pool.submit(work.square, 1).exception().code, "unauthenticated")

    def test_a_token_is_found_in_the_environment(self) -> None:
        with mock.patch.dict(os.environ, {"HEARTH_TOKEN": self.token}):
            self.assertEqual(hearth.Pool().submit(work.square, 3).result(), 9)

    def test_on_its_own_pc_a_program_needs_no_token(self) -> None:
        environment = {name: self.server.environment[name] for name in ("HEARTH_HOME", "PATH")}
        with mock.patch.dict(os.environ, environment):
            os.environ.pop("HEARTH_TOKEN", None)
            self.assertEqual(hearth.Pool().submit(work.square, 4).result(), 16)
            with mock.patch.dict(os.environ, {"HEARTH_HOME": "/nonexistent"}):
                self.assertRegex(str(hearth.Pool().submit(work.square, 4).exception()), "belongs to no pool yet")
            with mock.patch.dict(os.environ, {"PATH": "/nonexistent"}):
                self.assertRegex(str(hearth.Pool().submit(work.square, 4).exception()), "hearth token new NAME")

    def test_a_hub_that_is_away_is_waited_for(self) -> None:
        with hearth.Pool(self.token) as pool:
            self.server.down()
            future = pool.submit(work.square, 5)
            self.server.up()
            self.assertEqual(future.result(timeout=harness.LIMIT_SECONDS), 25)


if __name__ == "__main__":
    unittest.main()
