"""Files copied and hashed in one pass; a copy is whole or absent."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

CHUNK = 1 << 20


def copy(source: Path, target: Path) -> str:
    """Copy a file, keep its time, and give the SHA-256 of what was copied.

    Raises
    ------
    OSError : with the file's name; nothing is left at `target`.
    """
    with source.open("rb") as file:
        return write(iter(partial(file.read, CHUNK), b""), target, os.stat(file.fileno()))


def write(chunks: Iterable[bytes], target: Path, status: os.stat_result | None = None) -> str:
    """Write a file, with the time and the rights of `status` where there is one, and give its SHA-256.

    Raises
    ------
    OSError : with the file's name; nothing is left at `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    hashed = hashlib.sha256()
    try:
        with part.open("wb") as copied:
            for chunk in chunks:
                hashed.update(chunk)
                copied.write(chunk)
        if status is not None:
            os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
            part.chmod(status.st_mode & 0o777)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return hashed.hexdigest()


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


def below(folder: Path, left_out: frozenset[str] = frozenset()) -> Iterator[Path]:
    """All files below a folder, in order; `left_out` names what is skipped at its top. Parts of copies are skipped."""
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name in left_out or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from below(entry)
        elif not entry.name.endswith(".part"):
            yield entry
