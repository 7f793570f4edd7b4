"""A private Chromium, driven by Playwright, that can reach loopback addresses alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.peers.packages import installed
from tests.peers.process import temporary_folder

_ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # it needs rights that root in a container lacks; only our own pages are opened
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # A page that loads something from elsewhere fails here, on a connected machine too.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@contextmanager
def private_chromium() -> Iterator[Browser]:
    """Start the browser and close it when the block ends.

    Playwright's event loop counts as running in this thread for as long: Django's ORM then takes the thread for
    asynchronous and refuses, unless DJANGO_ALLOW_ASYNC_UNSAFE is set.

    Raises
    ------
    NotInstalled : no Chromium on this machine.
    """
    program = installed("chromium")
    with temporary_folder("chromium") as folder:
        # Chromium keeps crash reports and caches in the home folder, whatever profile it is given.
        environment = os.environ | {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "TMPDIR")}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS, env={**environment})
            try:
                yield browser
            finally:
                browser.close()
