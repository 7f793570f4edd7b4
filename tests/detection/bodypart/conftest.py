"""Made-up bodies and a regressor that has learned from them, for all tests of it."""

from pathlib import Path

import pytest

from detection.bodypart.model import Model, load_model
from tests.detection.bodypart.columns import write_release
from tests.detection.bodypart.learning import SERIES, TINY, learn


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("columns")
    write_release(folder, SERIES)
    return folder


@pytest.fixture(scope="session")
def run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    learn(release, out, preset=TINY, threads=1)
    return out


@pytest.fixture
def model(run: Path) -> Model:
    return load_model(run / "model.pt")
