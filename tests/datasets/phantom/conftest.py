"""One small hospital and one small release for all tests of the phantom."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from datasets.phantom.hospital import write_hospital
from datasets.phantom.release import write_release

PATIENTS, SEED, SIZE = 8, 5, 96


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients on a coarse matrix, the fewest that show every quirk; made once for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    out = shared / "coarse-hospital"
    with FileLock(f"{out}.lock"):
        if not out.is_dir():
            write_hospital(out, patients=PATIENTS, seed=SEED, size=SIZE, processes=2)
    return out


@pytest.fixture(scope="session")
def truth(hospital: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((hospital / "truth.json").read_text())
    return content


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "release"
    write_release(out, patients=4, seed=SEED, size=SIZE, context_mm=10)
    return out
