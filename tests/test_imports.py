"""The floors of the house hold where only a fresh interpreter can tell."""

import pkgutil
import subprocess
import sys

import pytest

import detection

RECORDS = ("detection.apps", "detection.migrations", "detection.models", "detection.selectors", "detection.services")
"""The detector's Django face."""


@pytest.mark.parametrize(
    "module", ["detection", "datasets.pacs.addresses", "datasets.dl_info", "datasets.geometry.volume"]
)
def test_a_fresh_interpreter_imports_it_without_django(module):
    code = f"import sys, {module}; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_of_the_detector_but_its_records_is_imported_without_django():
    found = [
        module.name for module in pkgutil.walk_packages(detection.__path__, "detection.", onerror=lambda name: None)
    ]
    pure = [name for name in found if not name.startswith(RECORDS)]
    assert {"detection.train", "detection.evaluation.froc", "detection.network.detector"} <= set(pure)
    code = f"import sys, {', '.join(pure)}; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
