"""The pins: every package that the requirements bring along, in the version that this run has."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> dict[str, Requirement]:
    lines = (line for path in ROOT.glob("requirements*.txt") for line in path.read_text().splitlines())
    texts = (line.partition("#")[0].strip() for line in lines)
    found = [Requirement(text) for text in texts if text and not text.startswith("-r")]
    return {normal(item.name): item for item in found}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0])
    return dict(line.split("==") for line in lines)


def brought_along() -> set[str]:
    """Walk from the requirements through what each installed package asks for here."""
    waiting = [(item.name, item.extras) for item in requirements().values()]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (key := (normal(name), frozenset(extras))) in seen:
            continue
        seen.add(key)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            wanted = [{"extra": extra} for extra in (*extras, "")]
            if needed.marker is None or any(needed.marker.evaluate(each) for each in wanted):
                waiting.append((needed.name, needed.extras))
    return {name for name, _ in seen}


def test_requirements_are_exact_and_agree_with_the_pins() -> None:
    known = pins()
    for name, item in requirements().items():
        assert str(item.specifier) == f"=={known.get(name)}", f"{name}: run `make pins`"


def test_every_package_that_comes_along_is_pinned_in_the_version_installed_here() -> None:
    if any(item.startswith("nvidia-") for item in brought_along()):
        pytest.skip("a build of torch with CUDA libraries, which it pins itself")
    known = pins()
    installed = {name: metadata.version(name).partition("+")[0] for name in brought_along()}
    assert {name: known.get(name) for name in installed} == installed, "run `make pins`"
