"""An installation that is backed up, lost, restored and verified with commands, as an administrator does it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from django.conf import settings

HIDDEN = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "IDENTITY_KEY_FILE")


class Site:
    """An installation of its own."""

    def __init__(self, folder: Path, database: str = "", more: dict[str, str] | None = None) -> None:
        self.data, self.database, self.more = folder, database, more or {}

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if key not in HIDDEN}
        own = {"DATA_DIR": str(self.data), **({"DATABASE_URL": self.database} if self.database else {}), **self.more}
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=settings.BASE_DIR, env={**kept, **own}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def code(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a program of a few lines in this installation."""
        return self.run("shell", "--no-imports", "--command", text)

    def take_key(self, other: "Site") -> None:
        """Lay the copy of another's key here: a backup holds none."""
        shutil.copy(other.data / "identity_key", self.data)

    def good(self, *arguments: str | Path) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def fill(folder: Path, phantom_hospital: Path, database: str = "") -> SimpleNamespace:
    """Fill an installation with a harvest and a release, and take a backup of it."""
    site = Site(folder / "first", database)
    part = folder / "hospital"
    shutil.copytree(phantom_hospital / "dicom" / "P0001", part / "P0001")
    shutil.copytree(phantom_hospital / "dicom" / "P0002", part / "P0002")
    site.good("migrate")
    site.good("harvest", f"dir://{part}", "--collection", "hospital")
    site.good("curate")
    site.good("release", "create", "first-1.0", "--collection", "hospital", "--split", "50/0/50")
    site.good("backup", folder / "backup")
    return SimpleNamespace(site=site, backup=folder / "backup")


def listing(backup: Path) -> Path:
    """The list of the files of a backup."""
    return next(backup.glob("files-*.jsonl"))


def slices(site: Site) -> list[Path]:
    return sorted((site.data / "slices").rglob("*.png"))


def contents(site: Site) -> dict[str, bytes]:
    return {str(path.relative_to(site.data)): path.read_bytes() for path in slices(site)}
