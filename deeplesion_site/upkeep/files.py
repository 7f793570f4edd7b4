"""Files copied and hashed in one pass; a copy is whole or absent."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

CHUNK = 1 << 20
OWN = 0o600


class Written(NamedTuple):
    """What was written."""

    sha256: str
    bytes: int


def copy(source: Path, target: Path, mode: int = OWN) -> Written:
    """Copy a file and keep its time.

    Raises
    ------
    OSError : with the file's name; nothing is left at `target`.
    """
    with source.open("rb") as file:
        time = os.stat(file.fileno()).st_mtime_ns
        return write(iter(partial(file.read, CHUNK), b""), target, mode, time)


def write(chunks: Iterable[bytes], target: Path, mode: int = OWN, time: int | None = None) -> Written:
    """Write a file that has these rights, its owner's alone until it is whole.

    Parameters
    ----------
    time : when it was last changed, in ns; now by default.

    Raises
    ------
    OSError : with the file's name; nothing is left at `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    hashed, size = hashlib.sha256(), 0
    try:
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN), "wb") as written:
            for chunk in chunks:
                hashed.update(chunk)
                size += written.write(chunk)
        if time is not None:
            os.utime(part, ns=(time, time))
        part.chmod(mode)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Written(hashed.hexdigest(), size)


def text(path: Path, most: int) -> str:
    """The text of a small file.

    Raises
    ------
    ValueError : it is larger.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(path)
    return content.decode()


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


REMOVED = ".nfs"
"""How the name begins under which NFS keeps a removed file that a process has open, as a training its pictures."""


def below(folder: Path, left_out: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """All files below a folder, in order, but for those left out, links, parts of copies, and removed ones.

    What vanishes meanwhile is not there.
    """
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for entry in found:
        if entry in left_out or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from below(entry, left_out)
        elif not entry.name.endswith(".part") and not entry.name.startswith(REMOVED):
            yield entry
