"""What detectors can run on where this process is, found out once by a program that loads torch for it."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from workers.supervise import TICK_S

DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Of NVIDIA, AMD and Windows below Linux; without any of them torch has no GPU and need not be asked."""


@dataclass(frozen=True)
class Devices:
    """GPUs by name."""

    gpus: list[str]

    def __str__(self) -> str:
        if not self.gpus:
            return f"CPU ({platform.machine()}, {len(os.sched_getaffinity(0))} cores)"
        return f"{len(self.gpus)} x {self.gpus[0]}" if len(self.gpus) > 1 else self.gpus[0]


_found: list[Devices] = []


def known() -> Devices | None:
    """What is known without waiting; None where torch has to be asked and was not."""
    if not _found and not any(Path(path).exists() for path in DRIVERS):
        _found.append(Devices([]))
    return _found[0] if _found else None


def here(tick: Callable[[], None] = lambda: None) -> Devices:
    """Find out, or remember; where torch cannot be loaded there is no GPU.

    Parameters
    ----------
    tick : called twice a second while torch is asked; what it raises ends this.
    """
    devices = known()
    if devices is None:
        devices = _ask(tick)
        _found.append(devices)
    return devices


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
    return Devices(json.loads(said) if program.returncode == 0 else [])
