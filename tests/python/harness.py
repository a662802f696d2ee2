"""A pool of the real program for the tests of the Python client. HEARTH_PROGRAM names the program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ["HEARTH_PROGRAM"]).resolve()
LIMIT_SECONDS = 60
sys.path.insert(0, str(REPOSITORY / "clients" / "python"))


def until(found: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not found():
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen: {what}")
        time.sleep(0.02)


class Server:
    """A home with a hub and a node, apart from this PC's bus and display."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="hearth-e2e-"))
        self.root.chmod(0o711)
        self.home = self.root / "home"
        self.work = self.root / "work"
        self.work.mkdir()
        self.environment = os.environ | {
            "HEARTH_HOME": str(self.home),
            "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",
            "DISPLAY": "",
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY / "clients" / "python"),
        }
        self.environment.pop("HEARTH_TOKEN", None)

    def up(self) -> None:
        self.cli("up", "--address", "127.0.0.1", "--port", "0", "--no-invite")
        self.await_node()

    def await_node(self) -> None:
        until(lambda: self._json("node/status.json").get("connected", False), "the node connects")

    def down(self) -> None:
        self.cli("down")

    def close(self) -> None:
        self.down()
        log = (self.home / "log").read_text(errors="replace")
        shutil.rmtree(self.root)
        for sign in ("Sanitizer", "runtime error:", "this is a bug in Hearth"):
            if sign in log:
                raise AssertionError(log)

    def cli(self, *words: str) -> str:
        command, limit = [PROGRAM, *words], LIMIT_SECONDS
        run = subprocess.run(
            command, env=self.environment, cwd=self.work, capture_output=True, text=True, timeout=limit
        )
        if run.returncode != 0:
            raise AssertionError(f"hearth {' '.join(words)}: {run.stderr}")
        return run.stdout

    def token(self, name: str, *options: str) -> str:
        return self.cli("token", "new", name, *options).strip()

    def jobs(self) -> list[dict]:
        return json.loads(self.cli("jobs", "--json")).get("jobs", [])

    def hub_process(self) -> int:
        return self._json("hub/endpoint.json")["pid"]

    def kill_node(self) -> None:
        """As the power does; the supervisor starts another."""
        supervisor = int((self.home / "lock").read_text())
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        words = {int(child): Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in children}
        os.kill(next(child for child in words if b"node" in words[child]), signal.SIGKILL)

    def _json(self, name: str) -> dict:
        try:
            return json.loads((self.home / name).read_text())
        except (OSError, ValueError):
            return {}


class PoolTest(unittest.TestCase):
    """One server for all tests of a class; `self.token` comes in there."""

    server: Server
    token: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        cls.server.up()
        cls.token = cls.server.token("tests")
