"""Faults that cannot be played fail where services are required; a skipped one would be taken for one that passed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FAULTS = [sys.executable, "-m", "tests.workers.faults", "--backend", "servers", "--fault", "two workers claim"]
TEST = [sys.executable, "-m", "pytest", "-q", "-k", "servers", "tests/workers/faults/test_faults.py"]


@pytest.mark.parametrize("command", [FAULTS, TEST], ids=["make faults", "the test"])
def test_what_is_not_installed_is_a_failure_where_services_are_required(command: list[str], tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Redis is looked for on the path.
    environment |= {"PATH": str(tmp_path), "REQUIRE_SERVICES": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout
    assert "not installed: redis-server" in ended.stdout
