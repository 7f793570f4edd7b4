"""The floors of the house hold where only a fresh interpreter can tell."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["detection", "datasets.pacs.addresses", "datasets.dl_info", "datasets.geometry.volume"]
)
def test_a_fresh_interpreter_imports_it_without_django(module):
    code = f"import sys, {module}; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
