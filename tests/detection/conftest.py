"""Fixtures of the detector's tests."""

from pathlib import Path

import pytest
import torch

from tests.detection.releases import write_release


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a release of ten patients of 64 x 64 pixels."""
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Test processes share the cores; more threads than cores slow small networks down many times.

    For the session, so that it holds before a module's fixture trains.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
