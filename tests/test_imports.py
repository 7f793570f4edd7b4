"""The floors of the house hold where only a fresh interpreter can tell."""

import os
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


def test_every_command_loads_first_in_a_fresh_interpreter():
    code = """
import os
import django
from django.core.management import get_commands, load_command_class
django.setup()
for name, app in sorted(get_commands().items()):
    if not app.startswith("django"):
        child = os.fork()
        if not child:
            load_command_class(app, name)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, name
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
