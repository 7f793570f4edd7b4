"""The table of quirks names tests that are there."""

import re
from pathlib import Path

from tests.datasets import pacs

TESTS = Path(__file__).resolve().parents[2]


def test_every_quirk_has_its_test() -> None:
    named = set(re.findall(r"`(test_\w+)`", pacs.__doc__ or ""))
    sources = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    assert len(named) > 30
    assert named <= there
