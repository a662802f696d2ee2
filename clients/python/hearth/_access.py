"""How a program comes in: by a token that an owner made for it, or by the session of this user's own command line."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Protocol

from hearth.errors import HearthError

_TOKEN = re.compile(r"https://(.+):(\d{1,5})/#token=1\.(\d{1,20})\.([\w-]{43})\.([\w-]{43})", re.ASCII)
_PROGRAM_SECONDS = 60


@dataclass(frozen=True)
class Door:
    """Where the hub is, and the key that it must have."""

    host: str
    port: int
    identity: bytes


def door_at(endpoint: str, identity: bytes) -> Door:
    """`endpoint` is "host:port", an IPv6 address in brackets."""
    host, _, port = endpoint.rpartition(":")
    return Door(host.strip("[]"), int(port), identity)


class Access(Protocol):
    def open(self, prove: Prove) -> tuple[Door, str]:
        """The hub that holds the pool, and a session there that was proved this moment."""


class Prove(Protocol):
    def __call__(self, door: Door, device: int, secret: bytes) -> tuple[str, list[Door]]:
        """A session for the secret of a token, and where the pool's other hubs are."""


@dataclass
class Token:
    door: Door
    device: int
    secret: bytes
    others: list[Door] = field(default_factory=list)  # tried in turn when the hub at `door` does not answer

    @classmethod
    def parse(cls, text: str) -> Token:
        found = _TOKEN.fullmatch(text.strip())
        if found is None:
            raise HearthError(
                "invalid_argument",
                "this is no token: copy the whole line that `hearth token new NAME` shows, "
                "https://HOST:PORT/#token=1.DEVICE.SECRET.IDENTITY",
            )
        host, port, device, secret, identity = found.groups()
        door = Door(host.strip("[]"), int(port), _from_base64url(identity))
        return cls(door, int(device), _from_base64url(secret))

    def __repr__(self) -> str:
        return f"Token({self.door.host}:{self.door.port}, device {self.device})"  # never the secret

    def open(self, prove: Prove) -> tuple[Door, str]:
        first: HearthError | None = None
        for door in [self.door, *self.others]:
            try:
                session, others = prove(door, self.device, self.secret)
            except HearthError as error:
                # A hub that has come back at another's address is a stranger there.
                if not error.is_passing and error.code != "unauthenticated":
                    raise
                first = first or error
                continue
            self.door, self.others = door, [other for other in others if other != door]
            return door, session
        assert first is not None
        raise first


class CommandLine:
    """The `hearth` of this user: `hearth session --json` proves its key and prints a session."""

    def open(self, prove: Prove) -> tuple[Door, str]:
        program = shutil.which("hearth")
        if program is None:
            raise HearthError(
                "not_found",
                "no token was given and there is no `hearth` on this computer's PATH: make a token at the pool's PC "
                "with `hearth token new NAME`, and give it as Pool(token) or in $HEARTH_TOKEN",
            )
        try:
            run = subprocess.run(
                [program, "session", "--json"], capture_output=True, text=True, timeout=_PROGRAM_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise HearthError("unavailable", "`hearth session` does not answer") from None
        if run.returncode != 0:
            message = run.stderr.strip().removeprefix("error: ")
            # It has no code to tell; a hub that is being started again is told by its words.
            away = "is not up" in message or "does not answer" in message
            raise HearthError("unavailable" if away else "unauthenticated", message or "`hearth session` failed")
        shown = json.loads(run.stdout)
        return door_at(shown["endpoint"], bytes.fromhex(shown["identity"])), shown["session"]


def access_for(token: str | None) -> Access:
    """By this token, else $HEARTH_TOKEN, else the command line of this user."""
    text = token if token is not None else os.environ.get("HEARTH_TOKEN", "")
    return Token.parse(text) if text or token is not None else CommandLine()


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
