"""An installation with a harvest, a release and a backup."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.deeplesion_site.upkeep.site import fill


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, phantom_hospital: Path) -> SimpleNamespace:
    return fill(tmp_path_factory.mktemp("upkeep"), phantom_hospital)
