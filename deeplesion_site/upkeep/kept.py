"""What a backup looks like on disk, so that a backup that was broken off never harms the one before it.

backup.json               names the two files below; replacing it is what makes a backup
database-{made}.sqlite3   or .dump: the database at one moment
files-{made}.jsonl        one line for each file: path, bytes, time, mode, SHA-256, and where its content is kept
files/                    contents, by path; one that changed since lies beside the older until that is not needed
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from datasets.services.errors import Refused
from deeplesion_site.upkeep import files

FORMAT = 2
ABOUT, FILES = "backup.json", "files"
OURS = re.compile(r"\.?(database|files)\b[^/]*\.(sqlite3|dump|jsonl)(\.part[\w-]*)?")
"""Files of a backup, this one's or another's, beside `backup.json`."""

MAX_LINE, MAX_ABOUT_BYTES = 4096, 64 << 10


@dataclass(frozen=True)
class About:
    """What `backup.json` says."""

    format: int
    vendor: str
    made: str
    dump: str
    dump_sha256: str
    list: str
    files: int
    bytes: int

    def write(self, folder: Path) -> None:
        """Make this the backup that the folder holds; all or nothing."""
        files.write([json.dumps(asdict(self), indent=1).encode() + b"\n"], folder / ABOUT)


@dataclass(frozen=True)
class Entry:
    """A file: path below DATA_DIR, bytes, time of writing in ns, rights, and where below `files` its content lies."""

    path: str
    bytes: int
    time: int
    mode: int
    sha256: str
    kept: str


T = TypeVar("T", About, Entry)


def about(folder: Path) -> About:
    """What is said of the backup in a folder.

    Raises
    ------
    Refused : there is none, or another version wrote it.
    """
    try:
        said = json.loads(files.text(folder / ABOUT, MAX_ABOUT_BYTES))
        version = said["format"]
        found = _typed(About(**said)) if version == FORMAT else None
        names = [found.dump, found.list] if found else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _incomplete(folder) from error
    if found is None:
        raise Refused(f"{folder} was written by another version: its format is {version}, not {FORMAT}")
    if not all(OURS.fullmatch(name) for name in names):
        raise _incomplete(folder)
    return found


def entries(folder: Path, listed: str) -> Iterator[Entry]:
    """The files of a backup, as its list names them.

    Raises
    ------
    Refused : the list is missing, or is none.
    """
    try:
        with (folder / listed).open(encoding="utf-8") as listing:
            while line := listing.readline(MAX_LINE):
                yield _typed(Entry(**json.loads(line)))
    except (OSError, ValueError, TypeError) as error:
        raise _incomplete(folder) from error


def size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    return path.stat().st_size if path.is_file() else None


def _typed(made: T) -> T:
    """Hold each value against its type.

    Raises
    ------
    TypeError
    """
    for field in fields(made):
        if type(getattr(made, field.name)) is not field.type:
            raise TypeError(field.name)
    return made


def _incomplete(folder: Path) -> Refused:
    return Refused(f"{folder} holds no backup that is complete")
