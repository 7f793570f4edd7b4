"""An installation with a harvest, a release and a backup."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from tests.deeplesion_site.upkeep.site import Site, fill


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, phantom_hospital: Path) -> SimpleNamespace:
    """Give each module its own copy of what is filled once for all test processes, beside their hospital."""
    made = phantom_hospital.with_name("upkeep")
    with FileLock(f"{made}.lock"):
        if not (made / "backup" / "backup.json").is_file():
            shutil.rmtree(made, ignore_errors=True)
            fill(made, phantom_hospital)
    folder = tmp_path_factory.mktemp("upkeep")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return SimpleNamespace(site=Site(folder / "first"), backup=folder / "backup")
