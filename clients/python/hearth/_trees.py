"""Folders on their way: hearth.v1.Tree (types.proto) in protobuf's encoding, from files and to files.

    message Tree { repeated TreeFile files = 1; }
    message TreeFile { string path = 1; Blob blob = 2; bool executable = 3; }
    message Blob { bytes sha256 = 1; uint64 size = 2; }
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hearth._protobuf import bytes_field, fields, number_field
from hearth.errors import HearthError

_MAX_FILES = 100_000


@dataclass(frozen=True)
class TreeFile:
    path: str
    sha256: bytes
    size: int
    executable: bool = False


@dataclass(frozen=True)
class LocalFile:
    entry: TreeFile
    source: Path


def scan(paths: Iterable[str | os.PathLike[str]]) -> list[LocalFile]:
    """Files and folders as `hearth run --input` names them: outside of the current directory, by their last part."""
    found: dict[str, LocalFile] = {}
    for given in paths:
        path = Path(given)
        name = _name_of(path)
        if not path.exists():
            raise HearthError("not_found", f"the input {path} does not exist")
        sources = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for source in sources:
            inside = (Path(name) / source.relative_to(path)).as_posix() if path.is_dir() else name
            if inside in found:
                raise HearthError("invalid_argument", f"two inputs would both be {inside} in the working directory")
            found[inside] = LocalFile(_entry_of(inside, source), source)
            if len(found) > _MAX_FILES:
                raise HearthError("resource_exhausted", "more than 100,000 input files: pack them into an archive")
    return [found[name] for name in found]


def encode(files: Iterable[TreeFile]) -> bytes:
    tree = bytearray()
    for file in sorted(files, key=lambda file: file.path.encode()):
        content = bytes_field(1, file.sha256) + number_field(2, file.size)
        entry = bytes_field(1, file.path.encode()) + bytes_field(2, content) + number_field(3, int(file.executable))
        tree += bytes_field(1, entry)
    return bytes(tree)


def decode(tree: bytes) -> list[TreeFile]:
    """Of a tree from elsewhere: every path is checked, since it may become one here. Errors: data_loss."""
    try:
        return [_file_of(entry) for number, entry in fields(tree) if number == 1]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HearthError("data_loss", f"a list of results is malformed: {error}") from None


def _file_of(entry: bytes) -> TreeFile:
    parts = dict(fields(entry))
    blob = dict(fields(parts[2]))
    if len(blob[1]) != 32:
        raise ValueError("a file has no SHA-256")
    return TreeFile(_path_of(parts[1]), blob[1], int(blob.get(2, 0)), bool(parts.get(3, 0)))


def _name_of(path: Path) -> str:
    relative = os.path.relpath(path)
    if relative == "." or relative.startswith(".."):
        return path.resolve().name
    return Path(relative).as_posix()


def _entry_of(name: str, source: Path) -> TreeFile:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise HearthError("invalid_argument", f"the input {name!r} has a name that is no UTF-8") from None
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return TreeFile(name, digest, file.tell(), os.access(source, os.X_OK))


def _path_of(value: bytes) -> str:
    path = value.decode()
    is_plain = all(ord(c) >= 0x20 and ord(c) != 0x7F for c in path)
    if not is_plain or len(value) > 4096 or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("a path that leads elsewhere")
    return path
