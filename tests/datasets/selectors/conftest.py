"""Statistics are remembered between requests; not between tests."""

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()
