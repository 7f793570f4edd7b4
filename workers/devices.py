"""What detectors can run on in this process's machine, found out once by a program that loads torch for it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from workers.supervise import TICK_S


@dataclass(frozen=True)
class Devices:
    """GPUs by name, and the processor in words."""

    gpus: list[str] = field(default_factory=list)
    cpu: str = "CPU"

    def __str__(self) -> str:
        if not self.gpus:
            return self.cpu
        return f"{len(self.gpus)} x {self.gpus[0]}" if len(self.gpus) > 1 else self.gpus[0]


_known: list[Devices] = []


def here(tick: Callable[[], None] = lambda: None) -> Devices:
    """Find out, or remember; a machine where torch cannot be loaded has no GPU.

    Parameters
    ----------
    tick : called twice a second meanwhile; what it raises ends this.
    """
    if not _known:
        _known.append(_ask(tick))
    return _known[0]


def _ask(tick: Callable[[], None]) -> Devices:
    program = subprocess.Popen(
        [sys.executable, "-m", "detection.devices"],
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                said, _ = program.communicate(timeout=TICK_S)
                break
            except subprocess.TimeoutExpired:
                tick()
    finally:
        program.kill()
        program.wait()
    return Devices(**json.loads(said)) if program.returncode == 0 else Devices()
