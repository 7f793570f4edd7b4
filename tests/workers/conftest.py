"""What the tests of harvests share."""

from pathlib import Path

import pytest
from pytest_django import Settings

from datasets.pacs import http


@pytest.fixture
def own_data(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is written apart, and ask a failing server again at once."""
    settings.DATA_DIR = tmp_path / "data"
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
