"""What a test run does about a server that is not installed: skip and say so at the end, or fail."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NoReturn, TypeVar

import pytest

from tests.peers.packages import NotInstalled, installed

Peer = TypeVar("Peer")
_REASON = re.compile(r"not installed: ([a-z-]+)")


def required() -> bool:
    """Whether a server that is not installed is a failure (REQUIRE_SERVICES=1 in the environment)."""
    return os.environ.get("REQUIRE_SERVICES") == "1"


@contextmanager
def needed(peer: AbstractContextManager[Peer]) -> Iterator[Peer]:
    """Enter a peer that a test cannot do without: skip the test where it is not installed, or fail it."""
    with ExitStack() as stack:
        try:
            entered = stack.enter_context(peer)
        except NotInstalled as reason:
            _give_up(str(reason))
        yield entered


def need(package: str) -> None:
    """Go on only where a package is installed; else skip the test, or fail it."""
    try:
        installed(package)
    except NotInstalled as reason:
        _give_up(str(reason))


def _give_up(reason: str) -> NoReturn:
    if required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def named_in(reports: list[pytest.TestReport]) -> set[str]:
    """Return the packages for want of which tests were given up."""
    return {package for report in reports for package in _REASON.findall(report.longreprtext)}


def closing_line(packages: set[str]) -> str:
    """Say which packages tests missed, and how to install them."""
    verdict = "failed" if required() else "were skipped"
    return f"Tests {verdict}, not installed: {', '.join(sorted(packages))}. `make services` as root installs them."
