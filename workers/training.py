"""Train a detector: the release as a folder, `python -m detection.train` beside us, and its row in the database."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from datasets.services.errors import Refused
from datasets.version import VERSION
from detection.data.release import open_release
from detection.errors import BadRun, DetectorError
from detection.models import TrainingRun
from detection.presets import PRESETS
from detection.progress import PROGRESS
from detection.services import runs
from detection.services.rows import Fence
from detection.training import curves
from workers import devices, hashes, programs
from workers.exported import alone_in, exported, published
from workers.glance import for_the_eye
from workers.programs import ProgramEnded

OWN = ("release", "preset", "seed", "fraction", "weights")
"""Parameters of a run that are no options of its training."""
CHECKPOINT, BEST, SETTINGS = "checkpoint.pt", "best.pt", "run.json"
KEPT = (CHECKPOINT, BEST, SETTINGS, "metrics.jsonl", programs.LOG)
"""What stays of a training; the best is there where something was validated."""
EVERY_S = 2.0
"""How often the row is told of the losses, at most."""

Progress = Callable[[int, int], None]


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
    run = runs.run_request(**_own_and_options(params))
    runs.run_requeue(run)
    run.refresh_from_db()
    return run


def abandon(params: dict[str, Any], others: list[dict[str, Any]], *, failed: bool, message: str) -> None:
    """The run of these parameters says that its job ended, where that is news, and unless another job trains it.

    Parameters
    ----------
    others : parameters of the jobs that are unfinished.
    message : why; what a person reads who cancelled it, where it is empty.
    """
    run = _known(params)
    if run is None or run in map(_known, others):
        return
    begun = "It was stopped; started again, it goes on from its newest checkpoint."
    runs.run_abandon(
        run,
        failed=failed,
        message=message or (begun if run.started else "It was cancelled before it began."),
    )


def wait_again(params: dict[str, Any]) -> None:
    """The run of these parameters, where there is one, waits for its next attempt."""
    run = _known(params)
    if run is not None:
        runs.run_requeue(run)


def _known(params: dict[str, Any]) -> TrainingRun | None:
    with suppress(BadRun):
        return runs.run_known(**_own_and_options(params))
    return None


def _own_and_options(params: dict[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in params.items() if name not in OWN}
    return {name: value for name, value in params.items() if name in OWN} | {"options": options}


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
    with fence():
        run = request(params)
    if run.state == TrainingRun.State.TRAINED:
        return result(run)
    folder = Path(settings.DATA_DIR) / run.folder
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder / ".lock"):
        machine = devices.here(lambda: progress(run.step, run.steps))
        with fence():
            runs.run_begin(run, device=str(machine), code_version=VERSION, torch_version=version("torch"))
        began = time.monotonic()
        try:
            release = exported(run.release, progress)
            facts = _train(run, release, folder, len(machine.gpus), progress, log, fence)
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


def command(run: TrainingRun, release: Path, folder: Path, *, gpus: int) -> list[str]:
    """The module that trains a run, or goes on with it, with its arguments; through torchrun on several GPUs."""
    arguments = [str(release), "--out", str(folder), "--preset", run.preset]
    if (folder / CHECKPOINT).is_file():
        arguments.append("--resume")
    else:
        arguments += ["--seed", str(run.seed), "--fraction", repr(run.fraction), "--weights", run.start_weights]
        for name, value in run.options.items():
            flag = f"--{name.replace('_', '-')}"
            arguments += [flag] if value is True else [flag, str(value)]
    if gpus > 1:
        launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(gpus), "-m"]
        return [*launcher, "detection.train", *arguments]
    return ["detection.train", *arguments]


def gpus_for(batch: int, count: int) -> int:
    """As many of the GPUs as share a batch evenly; 1 without any."""
    return max(each for each in range(1, max(count, 1) + 1) if batch % each == 0)


def _train(
    run: TrainingRun,
    release: Path,
    folder: Path,
    gpus: int,
    progress: Progress,
    log: Callable[[str], None],
    fence: Fence,
) -> dict[str, Any]:
    identity = open_release(release).sha256
    batch = run.options.get("batch") or PRESETS[run.preset].training.batch
    told = 0.0

    def tick(state: dict[str, Any]) -> None:
        nonlocal told
        progress(state.get("step", run.step), state.get("steps", run.steps))
        if time.monotonic() - told >= EVERY_S:
            told = time.monotonic()
            tell(state)

    def tell(state: dict[str, Any]) -> None:
        if state:
            left = state.get("seconds_left")
            curve = curves.read(folder)
            with for_the_eye(), fence():
                runs.run_progress(run, step=state["step"], steps=state["steps"], seconds_left=left, curve=curve)

    try:
        programs.run(command(run, release, folder, gpus=gpus_for(batch, gpus)), folder=folder, tick=tick, log=log)
    except ProgramEnded:
        tell(programs.read(folder / PROGRESS))
        raise
    tell(programs.read(folder / PROGRESS))
    return {
        "release_sha256": identity,
        "weights": programs.read(folder / SETTINGS).get("weights", "random"),
        "checkpoint": f"{run.folder}/{CHECKPOINT}",
        "hashes": hashes.of_those(folder, KEPT),
    }


def _told(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"stopped by the disk: {error.strerror or type(error).__name__}"
    return str(error)
