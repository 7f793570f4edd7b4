"""What the tests of harvests share."""

import pytest


@pytest.fixture
def data_dir(tmp_path, settings):
    """Keep what is written apart."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    return settings.DATA_DIR
