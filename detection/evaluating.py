"""What the evaluations of key slices and of whole sub-volumes share: options, detecting, and what is told of a run."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detection import accepted
from detection.data.dataset import Slices
from detection.data.release import Release
from detection.disk import writing
from detection.inference import BATCH, LOADERS, detect, is_fast_in_bfloat16, pick_device, prepare
from detection.presets import options, to_json
from detection.progress import PROGRESS, Teller
from detection.training import checkpoint

DETECTIONS, REPORT = "detections.csv", "report.json"

Progress = Callable[[int, int], None]
"""Called with images done and in all."""


@dataclass(frozen=True, slots=True)
class Means:
    """What it is computed with; but for the precision, none of it changes the result."""

    accelerator: str = "auto"
    precise: bool = False
    """Compute in float32 also where bfloat16 is faster."""
    batch: int = BATCH
    workers: int | None = None
    """Loader processes; as `inference.loaders` says unless given."""

    @property
    def device(self) -> torch.device:
        """See `inference.pick_device`."""
        return pick_device(self.accelerator)

    @property
    def fast(self) -> bool:
        """Whether it is computed in bfloat16."""
        return not self.precise and is_fast_in_bfloat16(self.device)


USUAL = Means()
"""Where nothing is asked for."""


def add_options(parser: argparse.ArgumentParser, place: str) -> None:
    """Add what both ask for; `place` is where the results go unless said, for the help."""
    parser.add_argument("run", type=Path, help="folder that detection.train wrote")
    parser.add_argument("release", type=Path, help="release folder, or the published DeepLesion")
    parser.add_argument(
        "--checkpoint", choices=["best", "last"], default="best",
        help="best in the validation split (default; the last where nothing was validated), or last",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help=f"folder for the results ({place})")
    parser.add_argument("--accelerator", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precise", action="store_true", help="float32 instead of bfloat16")
    parser.add_argument("--batch", type=accepted.positive, default=BATCH)
    parser.add_argument("--workers", type=accepted.count, help=f"loader processes (up to {LOADERS} for a GPU, else 0)")
    parser.add_argument("--cache", type=Path, help="folder that keeps decoded slices for evaluating again (none)")


def means(asked: argparse.Namespace) -> Means:
    """Out of the options."""
    return Means(asked.accelerator, asked.precise, asked.batch, asked.workers)


def teller(out: Path, unit: str) -> Progress:
    """What tells how far it is and how long it still takes, on stderr and in a folder; see `progress.Teller`."""
    tell = Teller(out)
    # What is loaded before the first of them says nothing of how long the others take.
    first: tuple[int, float] | None = None

    def told(done: int, total: int) -> None:
        nonlocal first
        already, began = first = first or (done, time.monotonic())
        left = (time.monotonic() - began) / max(done - already, 1) * (total - done)
        tell(done, total, unit, f"{left / 60:.1f} min left" if already < done < total else "")

    return told


def full(out: Path) -> str:
    """What to say where there is no room for the results."""
    return f"The disk of {out} is full; make room and evaluate again"


def boxes_in(
    trained: checkpoint.Trained, data: Slices, out: Path, how: Means, progress: Progress | None
) -> list[NDArray[np.float64]]:
    """Detections in every sample, in order, for the folder `out`; that an earlier evaluation is there, it says.

    Raises
    ------
    DetectorError : any of its kinds; a folder that was made is gone again.
    """
    device = how.device
    prepare(trained.network, device, fast=how.fast)
    if (out / REPORT).is_file():
        sys.stderr.write(f"{out} holds an evaluation, which this one replaces; to keep it, name another --out.\n")
    found: list[NDArray[np.float64]] = []
    with writing(out, full(out)), _of_use(out):
        for index, boxes in detect(trained.network, data, device=device, batch=how.batch, workers=how.workers):
            found.append(boxes)
            if progress is not None:
                progress(index + 1, len(data))
    return found


@contextmanager
def _of_use(out: Path) -> Iterator[None]:
    """Make a folder, so that it is known to be writable; it is gone again where what is within comes to nothing."""
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                (out / PROGRESS).unlink(missing_ok=True)
                out.rmdir()
        raise


def in_csv(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Detections in the frame of the table, which is 1-based."""
    return np.add(boxes, (1, 1, 1, 1, 0))


def facts_of(trained: checkpoint.Trained, release: Release, how: Means) -> dict[str, Any]:
    """What a report tells of the run, of the release and of how it was computed."""
    told = {
        "run": run_facts(trained),
        "release": release.name, "release_sha256": release.sha256,
        "precision": "bfloat16" if how.fast else "float32", "device": str(how.device),
    }  # fmt: skip
    return told | ({"unfinished": f"The run {trained.unfinished}"} if trained.unfinished else {})


def run_facts(trained: checkpoint.Trained) -> dict[str, Any]:
    """What was evaluated; `options` is for the eye, `detector` is all that it was made with."""
    settings = trained.settings
    return {
        "preset": settings.preset.name, "options": options(settings.preset), "checkpoint": trained.which,
        "step": trained.step, "steps_done": trained.done, "steps": trained.steps, "release": settings.release,
        "release_sha256": settings.release_sha256, "seed": settings.seed, "fraction": settings.fraction,
        "weights": settings.weights, "precision": settings.precision, "detector": to_json(settings.preset),
    }  # fmt: skip


def caution(run: Path, content: dict[str, Any]) -> None:
    """Say on stderr why a result may be better or worse than the detector."""
    if content["run"]["release_sha256"] != content["release_sha256"]:
        sys.stderr.write(
            f"{run} was trained on another release, {content['run']['release']}: patients of it may be among these, "
            "and the result be too good.\n"
        )
    if "unfinished" in content:
        sys.stderr.write(f"{run}: {content['unfinished']}.\n")
