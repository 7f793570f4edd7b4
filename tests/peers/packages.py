"""Which Debian packages the peers come from, and which of them this machine lacks.

`python3 -m tests.peers.packages` prints the missing ones, one per line. It uses the standard library alone, so that
it also answers before anything is installed.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from datasets.phantom.orthanc import find_plugin, find_program


class NotInstalled(Exception):
    """A server that a test needs is not on this machine."""

    def __init__(self, package: str) -> None:
        super().__init__(f"not installed: {package}")
        self.package = package


def _first(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.exists()), None)


def _program(*names: str) -> Path | None:
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def _postgresql() -> Path | None:
    # Debian keeps the server's programs off the PATH, one folder per major version; the newest is taken.
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)
    return _first([folder for folder in newest_first if (folder / "initdb").exists()])


FINDERS: dict[str, Callable[[], Path | None]] = {
    "postgresql": _postgresql,
    "redis-server": lambda: _program("redis-server"),
    "orthanc": find_program,
    "orthanc-dicomweb": find_plugin,
    "chromium": lambda: _program("chromium", "chromium-browser"),
}


def installed(package: str) -> Path:
    """Return where a package's program (for postgresql the folder of its programs) is.

    Raises
    ------
    NotInstalled : it is not on this machine.
    """
    path = FINDERS[package]()
    if path is None:
        raise NotInstalled(package)
    return path


def missing() -> list[str]:
    """Return the Debian packages that this machine lacks."""
    return [package for package, find in FINDERS.items() if find() is None]


if __name__ == "__main__":
    for package in missing():
        print(package)
