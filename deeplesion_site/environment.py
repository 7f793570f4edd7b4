"""Settings from the environment, each read once; a value that makes no sense ends the program in one sentence."""

import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
PORTS = range(1, 65536)
LOCAL = "filesystem://"
BROKERS = (LOCAL, "redis://", "rediss://", "sentinel://")
LEAST_SECRET, LEAST_VARIETY = 50, 5
"""Characters of SECRET_KEY, and different ones among them, as Django's own check of a deployment wants."""
ENGINES = ("django.db.backends.sqlite3", "django.db.backends.postgresql")
PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""For how long PostgreSQL is waited for, in libpq's words: 10 s for a connection; that its other side has vanished is
known after 30 s (the last is in ms), within a lease. Without them that takes up to hours."""


def boolean(name: str, default: bool) -> bool:
    """Read a switch."""
    return _read(name, default, lambda text: BOOLEANS[text.lower()], "1 or 0")


def port(name: str, default: int) -> int:
    """Read a TCP port."""
    return _read(name, default, lambda text: PORTS[PORTS.index(int(text))], "a port from 1 to 65535")


def count(name: str, default: int, most: int) -> int:
    """Read a whole number from 0 on."""
    numbers = range(most + 1)
    return _read(name, default, lambda text: numbers[numbers.index(int(text))], f"a whole number from 0 to {most}")


def number(name: str, default: float) -> float:
    """Read a finite number."""
    return _read(name, default, _finite, "a number")


def _one_of(text: str, beginnings: tuple[str, ...]) -> str:
    if not text.startswith(beginnings):
        raise ValueError(text)
    return text


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def seconds(name: str, default: float) -> float:
    """Read a span of time."""

    def convert(text: str) -> float:
        value = float(text)
        if not 1 <= value <= 3600:
            raise ValueError
        return value

    return _read(name, default, convert, "a number of seconds from 1 to 3600")


def database(name: str, default: str) -> dict[str, Any]:
    """Read the address of a database as Django's settings want it; its parameters go before our own patience."""
    text = os.environ.get(name) or default
    try:
        found = environ.Env.db_url_config(text) if "://" in text else {}
    except (KeyError, ValueError, ImproperlyConfigured):
        found = {}
    if found.get("ENGINE") not in ENGINES:
        _refuse(name, "an address such as postgres://user:password@host:port/name or sqlite:////path/to/file")
    if found["ENGINE"] == "django.db.backends.postgresql":
        found["OPTIONS"] = PATIENCE | found.get("OPTIONS", {})
    return dict(found)


def private(path: Path) -> None:
    """Make a file that is to come, empty and for its owner alone; where that cannot be, who opens it says why."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def broker(name: str, default: str) -> str:
    """Read the address of a broker."""
    return _read(name, default, lambda text: _one_of(text, BROKERS), f"an address that begins with {_either(BROKERS)}")


def names(name: str, default: list[str]) -> list[str]:
    """Read names separated by commas."""
    return _read(name, default, lambda text: [each.strip() for each in text.split(",") if each.strip()], "names")


def hosts(name: str, default: list[str]) -> list[str]:
    """Read hosts, each with or without a port, separated by commas."""
    return _read(name, default, _hosts, "hosts such as pacs.example.org or pacs.example.org:8043, separated by commas")


def _hosts(text: str) -> list[str]:
    found = [each.strip().lower() for each in text.split(",") if each.strip()]
    for each in found:
        scheme, _, place = each.rpartition("://")
        parts = urlsplit(f"//{place}")
        # `port` raises where it is none.
        if scheme not in ("", "http", "https") or not parts.hostname or parts.port == 0 or set(place) & set("@/?#* "):
            raise ValueError(text)
    return found


def file(name: str, default: Path) -> Path:
    """Read a file that must be there."""
    path = Path(os.environ.get(name) or default).resolve()
    if not path.is_file():
        _refuse(name, f"a file ({path} is none)")
    return path


def folder(name: str, default: Path) -> Path:
    """Read a folder that can be written, and make it where it is not there."""
    path = Path(os.environ.get(name) or default).resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        _refuse(name, f"a folder that can be written ({path}: {error.strerror})")
    return path


def folder_to_read(name: str) -> Path | None:
    """Read a folder that must be there; none where the variable is not set."""
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    path = Path(text).resolve()
    if not path.is_dir():
        _refuse(name, f"a folder ({path} is none)")
    return path


def origins(name: str) -> list[str]:
    """Read the addresses of sites, separated by commas; none by default."""
    return _read(name, [], _origins, "addresses such as https://lesions.example.org, separated by commas")


def _origins(text: str) -> list[str]:
    found = [origin.strip().rstrip("/") for origin in text.split(",") if origin.strip()]
    if not all(origin.partition("://")[0] in ("http", "https") and origin.partition("://")[2] for origin in found):
        raise ValueError(text)
    return found


def server(name: str) -> str:
    """Read the address of a server over http; empty by default."""
    return _read(name, "", _server, "an address such as https://s3.example.org, without user and password")


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(text)
    return text.rstrip("/")


def folder_name(name: str) -> str:
    """Read the name of a folder, or several of them one in another; empty by default."""
    return _read(name, "", _folder_name, "names of letters, digits, dots and dashes, separated by slashes")


def _folder_name(text: str) -> str:
    parts = text.strip("/").split("/")
    if not all(re.fullmatch(r"[\w-][\w.-]*", part, re.ASCII) for part in parts):
        raise ValueError(text)
    return "/".join(parts)


def require(names: Iterable[str], needed_by: str) -> None:
    """End the program where a variable that another setting cannot do without is missing."""
    missing = [name for name in names if not os.environ.get(name, "").strip()]
    if missing:
        raise SystemExit(f"{needed_by} needs {', '.join(missing)} in the environment; see docs/settings.md.")


def production(debug: bool, secret_key: str, hosts: list[str], broker: str, identity_key: Path) -> None:
    """End the program where a setting is unfit for a site that others reach."""
    unfit = {
        "DEBUG": "0: error pages show what nobody else may see" if debug else "",
        "SECRET_KEY": f"{LEAST_SECRET} characters or more, made at random"
        if len(secret_key) < LEAST_SECRET or len(set(secret_key)) < LEAST_VARIETY
        else "",
        "ALLOWED_HOSTS": "the names of this site, without *" if any("*" in host for host in hosts) else "",
        "CELERY_BROKER_URL": "the address of a server, as redis://host:port/0" if broker.startswith(LOCAL) else "",
        # Made anew where one was lost, it would number every patient a second time.
        "IDENTITY_KEY_FILE": "" if os.path.isfile(identity_key) else "a file that is there; docs/deploy.md makes it",
    }
    for name, expected in unfit.items():
        if expected:
            raise SystemExit(f"With PRODUCTION=1, {name} must be {expected}; see docs/settings.md.")


def _read(name: str, default: T, convert: Callable[[str], T], expected: str) -> T:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return convert(text)
    except (KeyError, ValueError, IndexError):
        _refuse(name, expected)


def _refuse(name: str, expected: str) -> NoReturn:
    # The value is not repeated: an address may hold a password.
    raise SystemExit(f"The setting {name} must be {expected}; see docs/settings.md.")
