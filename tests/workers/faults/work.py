"""A kind of job whose every step leaves a trace: rows behind the fence, and a line in a file for each attempt."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.models import Collection
from workers import kinds
from workers.kind import Kind
from workers.models import Job
from workers.params import Params
from workers.run import Run


@dataclass(frozen=True)
class StepsParams(Params):
    number: int
    steps: int = 1
    pause: float = 0.0
    """Seconds before each step."""


def take_steps(params: StepsParams, run: Run) -> dict[str, Any]:
    """Do what earlier attempts have left to do."""
    leave_trace(params.number)
    for step in range(params.steps):
        begun = time.monotonic()
        while time.monotonic() - begun < params.pause:
            time.sleep(0.02)
            run.check_cancelled()
        with run.fence():
            name = f"job-{params.number}-step-{step}"
            Collection.objects.get_or_create(slug=name, defaults={"title": name, "kind": Collection.Kind.HOSPITAL})
        run.progress(step + 1, params.steps, "steps")
    return {"steps": params.steps}


def leave_trace(number: int) -> None:
    """Write down that an attempt has begun."""
    with trace(number).open("a") as file:
        file.write(f"{os.getpid()}\n")


def trace(number: int) -> Path:
    """Where the attempts at a job write that they have begun."""
    folder = Path(settings.DATA_DIR) / "begun"
    folder.mkdir(exist_ok=True)
    return folder / str(number)


STEPS = Kind("steps", "take steps", Job.Queue.IO, StepsParams, take_steps, attempts=50)


def make_known() -> None:
    """Let this process know the kind."""
    kinds.BY_NAME[STEPS.name] = STEPS
