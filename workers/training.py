"""Train a detector: the release as a folder, `python -m detection.train` beside us, and its row in the database."""

import hashlib
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from datasets.services.errors import Refused
from datasets.version import VERSION
from detection.data.release import open_release
from detection.errors import DetectorError
from detection.models import TrainingRun
from detection.services import runs
from detection.training import curves
from workers.exported import alone_in, exported, published
from workers.supervise import supervise, tail

LOG, CHECKPOINT, BEST = "train.log", "checkpoint.pt", "best.pt"
EVERY_S = 2.0
"""How often the row is told of the losses, at most."""

Progress = Callable[[int, int], None]
Fence = Callable[[], AbstractContextManager[None]]


class TrainingEnded(Refused):
    """The training program gave up; the message is its sentence."""


def request(params: dict[str, Any]) -> TrainingRun:
    """Give the run that a job of these parameters trains; a failed one waits again.

    Parameters
    ----------
    params : `release`, and what `runs.run_request` takes; options of training stand beside.

    Raises
    ------
    NoSuchRelease, DetectorError
    """
    published(params["release"])
    own = {name: params[name] for name in ("release", "preset", "seed", "fraction", "weights") if name in params}
    options = {name: value for name, value in params.items() if name not in own}
    run = runs.run_request(**own, options=options)
    runs.run_requeue(run)
    run.refresh_from_db()
    return run


def train(
    params: dict[str, Any],
    progress: Progress,
    *,
    log: Callable[[str], None] = lambda text: None,
    fence: Fence = transaction.atomic,
    closing: Fence = transaction.atomic,
) -> dict[str, Any]:
    """Train the run of these parameters, from its newest checkpoint where there is one; nothing where it is trained.

    Parameters
    ----------
    progress : called with steps done and in all; what it raises stops the training.
    log : called with the end of the program's output where it gave up.
    fence : begins the transactions in which the row is written.
    closing : begins those in which it is written that the training ends.

    Raises
    ------
    Refused, DetectorError : the run says why, too.
    """
    run = request(params)
    if run.state == TrainingRun.State.TRAINED:
        return result(run)
    folder = Path(settings.DATA_DIR) / run.folder
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder / ".lock"):
        with fence():
            runs.run_begin(run, device=device(), code_version=VERSION, torch_version=version("torch"))
        began = time.monotonic()
        try:
            release = exported(run.release, progress)
            facts = _train(run, release, folder, progress, log)
            end = {"state": TrainingRun.State.TRAINED, **facts}
        except (Refused, DetectorError, OSError) as error:
            with closing():
                runs.run_end(
                    run, state=TrainingRun.State.FAILED, seconds=time.monotonic() - began, message=_told(error)
                )
            raise
        except BaseException:
            with closing():
                runs.run_end(
                    run,
                    state=TrainingRun.State.STOPPED,
                    seconds=time.monotonic() - began,
                    message="It was stopped; started again, it goes on from its newest checkpoint.",
                )
            raise
        with fence():
            run = runs.run_end(run, seconds=time.monotonic() - began, **end)
        shutil.rmtree(folder / "cache", ignore_errors=True)
    return result(run)


def result(run: TrainingRun) -> dict[str, Any]:
    """What the job says of a trained run."""
    return {"run": run.pk, "steps": run.steps, "seconds": round(run.seconds, 1), "weights": run.weights}


def command(run: TrainingRun, release: Path, folder: Path, *, devices: int) -> list[str]:
    """The program that trains a run, or goes on with it; through torchrun on several devices."""
    arguments = [str(release), "--out", str(folder), "--preset", run.preset]
    if (folder / CHECKPOINT).is_file():
        arguments.append("--resume")
    else:
        arguments += ["--seed", str(run.seed), "--fraction", repr(run.fraction), "--weights", run.start_weights]
        for name, value in run.options.items():
            flag = f"--{name.replace('_', '-')}"
            arguments += [flag] if value is True else [flag, str(value)]
    if devices > 1:
        launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(devices), "-m"]
        return [sys.executable, "-m", *launcher, "detection.train", *arguments]
    return [sys.executable, "-m", "detection.train", *arguments]


def device() -> str:
    """What training runs on, in words."""
    import torch

    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        return f"{count} x {torch.cuda.get_device_name(0)}" if count > 1 else torch.cuda.get_device_name(0)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def devices_for(batch: int, count: int) -> int:
    """As many of the GPUs as share a batch evenly; 1 without any."""
    return max(each for each in range(1, max(count, 1) + 1) if batch % each == 0)


def _train(
    run: TrainingRun, release: Path, folder: Path, progress: Progress, log: Callable[[str], None]
) -> dict[str, Any]:
    import torch

    from detection.presets import PRESETS

    identity = open_release(release).sha256
    batch = run.options.get("batch") or PRESETS[run.preset].training.batch
    output = folder / LOG
    start = output.stat().st_size if output.is_file() else 0
    told = 0.0

    def tick() -> None:
        nonlocal told
        state = _read(folder / "progress.json")
        progress(state.get("step", run.step), state.get("steps", run.steps))
        if state and time.monotonic() - told >= EVERY_S:
            told = time.monotonic()
            tell(state)

    def tell(state: dict[str, Any]) -> None:
        left = state.get("seconds_left")
        runs.run_progress(run, step=state["step"], steps=state["steps"], seconds_left=left, curve=curves.read(folder))

    program = command(run, release, folder, devices=devices_for(batch, torch.cuda.device_count()))
    status = supervise(program, log=output, tick=tick)
    state = _read(folder / "progress.json")
    if state:
        tell(state)
    if status != 0 or not (folder / CHECKPOINT).is_file():
        words = tail(output, start=start)
        log(words)
        raise TrainingEnded(_why(status, words))
    return {
        "release_sha256": identity,
        "weights": _read(folder / "run.json").get("weights", "random"),
        "checkpoint": f"{run.folder}/{CHECKPOINT}",
        "hashes": {name: _sha256(folder / name) for name in (CHECKPOINT, BEST) if (folder / name).is_file()},
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _why(status: int, words: str) -> str:
    """The program's own sentence where it has one."""
    if status < 0:
        return (
            f"the training program was ended by signal {-status}, perhaps for want of memory; start it again to go on"
        )
    if status == 1 and words and "Traceback (most recent call last)" not in words:
        return words.splitlines()[-1].rstrip(".")
    return f"the training program ended with status {status}; its log says more"


def _told(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"stopped by the disk: {error.strerror or type(error).__name__}"
    return str(error)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
