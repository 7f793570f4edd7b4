"""Fixtures for all tests: the servers that the system talks to, as private instances.

A test whose server is not installed skips, and the run ends with one line on what to install;
with REQUIRE_SERVICES=1 in the environment it fails.
"""

from collections.abc import Iterator
from contextlib import contextmanager, AbstractContextManager
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page

from tests.environment import closing_line, services_required
from tests.peers.chromium import private_chromium
from tests.peers.orthanc import Orthanc, private_orthanc
from tests.peers.packages import NotInstalled
from tests.peers.postgres import Postgres, private_postgres
from tests.peers.redis import private_redis

pytest_plugins = ["pytester"]
