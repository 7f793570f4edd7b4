"""A setting that makes no sense ends the program in one sentence that names it."""

import os
import subprocess
import sys

import pytest
from django.conf import settings


def check(**values):
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **values},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "99999"),
        ("PUBLIC_READ", "maybe"),
        ("DEBUG", "2"),
        ("DATABASE_URL", "foo"),
        ("DATA_DIR", "/dev/null/var"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name, value):
    ended = check(**{name: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The setting {name} must be ")
    assert len(ended.stderr.splitlines()) == 1


def test_empty_values_stand_for_the_defaults(tmp_path):
    assert check(PORT="", PUBLIC_READ="", DEBUG="", DATABASE_URL="", DATA_DIR=str(tmp_path)).returncode == 0
