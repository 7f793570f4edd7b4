"""docs/settings.md names exactly what is read from the environment, each with its default."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RECORDER = """
import functools, inspect, json
import environ
from deeplesion_site import environment

found = {}

def recording(read):
    @functools.wraps(read)
    def wrapped(*given, **named):
        bound = inspect.signature(read).bind(*given, **named).arguments
        name = bound.get("name", bound.get("var"))
        found[name] = bound.get("default", [])
        return read(*given, **named)
    return wrapped

for name, read in vars(environment).copy().items():
    if inspect.isfunction(read) and not name.startswith("_") and "name" in inspect.signature(read).parameters:
        setattr(environment, name, recording(read))
for name in ("str", "list"):
    setattr(environ.Env, name, recording(getattr(environ.Env, name)))

from deeplesion_site import settings

told = {"DATA_DIR": settings.DATA_DIR, "BASE_DIR": settings.BASE_DIR, "found": found}
print(json.dumps(told, default=str))
"""

ELSEWHERE = {"REQUESTS_CA_BUNDLE", "DICOMWEB_PASSWORD", "DICOMWEB_TOKEN", "DIMSE_TLS_CA", "DIMSE_TLS_CERTIFICATE",
             "DIMSE_TLS_KEY", "TAKE_DERIVED_IMAGES"}  # fmt: skip
"""Read by the sources of a PACS, which know no Django."""
NOT_OURS = {"DATA_DIR", "CURL_CA_BUNDLE", "DJANGO_SETTINGS_MODULE"}
"""DATA_DIR is in the table already; the others belong to libraries."""

IN_WORDS = {
    "DICOMWEB_HOSTS": "`localhost,127.0.0.1,[::1]`; none with `PRODUCTION=1`",
    "PUBLIC_READ": "`1`; `0` with `PRODUCTION=1`",
    "SECRET_KEY": "made on first use in `DATA_DIR/secret_key`",
    "DATA_USE_AGREEMENT": "the text that comes with the program",
    "SESSION_COOKIE_NAME": "`session_PORT`",
}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give each variable that the settings read with its default, as the page should write it."""
    ended = subprocess.run(
        [sys.executable, "-c", RECORDER],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path_factory.mktemp("var"))},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    return {name: written(name, default, told) for name, default in told["found"].items()}


def written(name: str, default: object, told: dict[str, str]) -> str:
    if name in IN_WORDS:
        return IN_WORDS[name]
    if isinstance(default, bool):
        return f"`{int(default)}`"
    if isinstance(default, int | float):
        return f"`{default:g}`"
    text = ",".join(default) if isinstance(default, list) else str(default)
    if name == "DATA_DIR":
        return f"`{Path(text).relative_to(told['BASE_DIR'])}/`"
    return f"`{text.replace(told['DATA_DIR'], 'DATA_DIR')}`" if text else "none"


def page() -> dict[str, str]:
    """Variable and default of each row of the page's tables."""
    found: dict[str, str] = {}
    for line in (ROOT / "docs" / "settings.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([A-Z][A-Z0-9_]+)`", cells[0])
        if line.startswith("|") and len(cells) == 3 and names:
            assert not found.keys() & set(names), f"{names} twice"
            found |= dict.fromkeys(names, cells[1])
    return found


def test_the_page_names_exactly_what_is_read(read: dict[str, str]) -> None:
    assert set(page()) == set(read) | ELSEWHERE


def test_every_default_on_the_page_is_the_one_in_force(read: dict[str, str]) -> None:
    said = page()
    wrong = {name: (said[name], default) for name, default in read.items() if not said[name].startswith(default)}
    assert wrong == {}


def test_what_else_reads_the_environment_is_on_the_page_too() -> None:
    found = set()
    for package in ("datasets", "workers", "deeplesion_site"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            found |= set(re.findall(r"""(?:environ\.get|environ\.setdefault|getenv)\(\s*["'](\w+)""", text))
            found |= set(re.findall(r"""environ\[["'](\w+)""", text))
    assert found - NOT_OURS <= set(page())
