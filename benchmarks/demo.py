"""How long `make demo` takes to its first page once requirements are installed: from nothing, and a second time."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result

READY = "keep-lesions"
"""What the demo prints last."""
LONGEST_S = 900.0
HIDDEN = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "IMPORT_DIR")


class NotServed(Exception):
    """The demo ended, or printed no address."""


def run() -> Iterator[Result]:
    """Yield the seconds of both starts; the trainings that begin in the worker are ended with the demo."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "var"
        for name, bound in (("first demo start", 180.0), ("second demo start", 10.0)):
            what = "s from the command to the overview page, 20 phantom patients"
            yield Result(name, _start(data, Path(folder) / "printed"), what, at_most=bound)


def _start(data: Path, printed: Path) -> float:
    """Start the demo, wait until its overview page comes, end it; returns the seconds until then."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    environment |= {"DATA_DIR": str(data), "PORT": str(port)}
    begin = time.monotonic()
    with printed.open("w", encoding="utf-8") as out:
        command = [sys.executable, "manage.py", "demo"]
        demo = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            while READY not in printed.read_text(encoding="utf-8"):
                if demo.poll() is not None or time.monotonic() - begin > LONGEST_S:
                    raise NotServed(printed.read_text(encoding="utf-8")[-500:])
                time.sleep(0.05)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
                page.read()
            return time.monotonic() - begin
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(120)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
