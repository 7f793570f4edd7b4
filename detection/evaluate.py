"""Command line: `python -m detection.evaluate RUN RELEASE --split test`: detections.csv, report.json, pictures."""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import accepted
from detection.data.dataset import Slices
from detection.data.release import Release, Sample, open_release
from detection.data.slices import available
from detection.data.table import SPLITS, select
from detection.disk import writing
from detection.errors import INTERRUPTED, DetectorError
from detection.evaluation import pictures
from detection.evaluation.report import report
from detection.evaluation.tables import read_detections, truth_of, write_detections
from detection.inference import BATCH, LOADERS, detect, is_fast_in_bfloat16, pick_device, prepare
from detection.presets import options, to_json
from detection.progress import PROGRESS, Teller
from detection.training import checkpoint
from detection.training.settings import replace

DETECTIONS, REPORT, PICTURES = "detections.csv", "report.json", "pictures"

Progress = Callable[[int, int], None]


def main(arguments: list[str] | None = None) -> int:
    """Evaluate a run; returns the exit status."""
    asked = _parser().parse_args(arguments)
    out = asked.out or asked.run / f"evaluation-{asked.split}"
    if (out / REPORT).is_file():
        sys.stderr.write(f"{out} holds an evaluation, which this one replaces; to keep it, name another --out.\n")
    try:
        content = evaluate(
            asked.run, asked.release, split=asked.split, out=out, accelerator=asked.accelerator,
            precise=asked.precise, batch=asked.batch, workers=asked.workers, cache=asked.cache,
            count=asked.pictures, repeats=asked.bootstrap, which=asked.checkpoint,
            progress=partial(Teller(out), unit="images"),
        )  # fmt: skip
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before it was done; evaluate again.\n")
        return INTERRUPTED
    if content["run"]["release_sha256"] != content["release_sha256"]:
        sys.stderr.write(
            f"{asked.run} was trained on another release, {content['run']['release']}: patients of it may be among "
            "these, and the result be too good.\n"
        )
    summary = {name: content[name] for name in ("sensitivity", "average_sensitivity")}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


def evaluate(
    run: Path,
    folder: Path,
    *,
    split: str = "test",
    out: Path | None = None,
    accelerator: str = "auto",
    precise: bool = False,
    batch: int = BATCH,
    workers: int | None = None,
    cache: Path | None = None,
    count: int = 12,
    repeats: int = 1000,
    which: checkpoint.Which = "best",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Detect in one split of a release and score it; returns the report, which is in `out` with everything else.

    Parameters
    ----------
    run : folder that training wrote; `folder` : the release.
    out : RUN/evaluation-{split} unless given. An earlier evaluation there is replaced once everything is detected.
    precise : compute in float32 also where bfloat16 is faster.
    workers : loader processes; as `inference.loaders` says unless given.
    cache : folder that keeps decoded slices; of use only where the same split is evaluated again, as each slice is
        decoded once.
    count : pictures at random, and as many of the worst misses.
    repeats : draws for the confidence bands.
    which : the checkpoint, see `checkpoint.detector`; the report says which it was.
    progress : called with images done and in all.

    Raises
    ------
    DetectorError : any of its kinds.
    """
    trained = checkpoint.detector(run, which)
    network, settings = trained.network, trained.settings
    release = open_release(folder)
    samples = release.samples(split)
    data = Slices(release, samples, settings.preset.input, cache=cache)
    device = pick_device(accelerator)
    fast = not precise and is_fast_in_bfloat16(device)
    prepare(network, device, fast=fast)
    out = out or run / f"evaluation-{split}"
    full = f"The disk of {out} is full; make room and evaluate again"
    with writing(out, full), _of_use(out):
        found: list[NDArray[np.float64]] = []
        for index, boxes in detect(network, data, device=device, batch=batch, workers=workers):
            found.append(boxes)
            if progress is not None:
                progress(index + 1, len(samples))
    facts = {
        "run": facts_of(trained),
        "release": release.name, "release_sha256": release.sha256, "split": split,
        "precision": "bfloat16" if fast else "float32", "device": str(device),
    }  # fmt: skip
    with writing(out, full):
        _clear(out)
        rows = zip(samples, found, strict=True)
        write_detections(out / DETECTIONS, [(sample.file_name, _in_csv(boxes)) for sample, boxes in rows])
        content = _report(release, split, out, repeats) | facts
        content["pictures"] = _pictures(release, samples, found, out, count, settings.seed)
        replace(out / REPORT, json.dumps(content, indent=1) + "\n")
    return content


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


def _clear(out: Path) -> None:
    """Remove an earlier evaluation, its report first: a report is never beside what it does not speak of."""
    (out / REPORT).unlink(missing_ok=True)
    (out / DETECTIONS).unlink(missing_ok=True)
    shutil.rmtree(out / PICTURES, ignore_errors=True)


def facts_of(trained: checkpoint.Trained) -> dict[str, Any]:
    """What was evaluated; `options` is for the eye, `detector` is all that it was made with."""
    settings = trained.settings
    return {
        "preset": settings.preset.name, "options": options(settings.preset), "checkpoint": trained.which,
        "step": trained.step, "release": settings.release, "release_sha256": settings.release_sha256,
        "seed": settings.seed, "fraction": settings.fraction, "weights": settings.weights,
        "precision": settings.precision, "detector": to_json(settings.preset),
    }  # fmt: skip


def _in_csv(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The table's frame is 1-based."""
    return np.add(boxes, (1, 1, 1, 1, 0))


def _report(release: Release, split: str, out: Path, repeats: int) -> dict[str, Any]:
    truth = truth_of(select(release.lesions, split))
    return report(truth, read_detections(out / DETECTIONS, truth), repeats=repeats)


def _pictures(
    release: Release, samples: list[Sample], found: list[NDArray[np.float64]], out: Path, count: int, seed: int
) -> list[dict[str, Any]]:
    chosen = pictures.choose([sample.boxes for sample in samples], found, count=count, seed=seed)
    (out / PICTURES).mkdir(exist_ok=True)
    listed = []
    for index, reason in chosen:
        sample = samples[index]
        path = available(release.images / sample.folder)[sample.slice]
        pictures.draw(path, sample.boxes, found[index], out / PICTURES / sample.file_name)
        listed.append({"file": f"{PICTURES}/{sample.file_name}", "reason": reason})
    return listed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m detection.evaluate", description="Evaluate a trained detector.")
    parser.add_argument("run", type=Path, help="folder that detection.train wrote")
    parser.add_argument("release", type=Path, help="release folder, or the published DeepLesion")
    parser.add_argument("--split", choices=[*SPLITS, "all"], default="test")
    parser.add_argument(
        "--checkpoint", choices=["best", "last"], default="best",
        help="best in the validation split (default; the last where nothing was validated), or last",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder for the results (RUN/evaluation-SPLIT)")
    parser.add_argument("--accelerator", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precise", action="store_true", help="float32 instead of bfloat16")
    parser.add_argument("--batch", type=accepted.positive, default=BATCH)
    parser.add_argument("--workers", type=accepted.count, help=f"loader processes (up to {LOADERS} for a GPU, else 0)")
    parser.add_argument("--cache", type=Path, help="folder that keeps decoded slices for evaluating again (none)")
    parser.add_argument(
        "--pictures", type=accepted.count, default=12, help="pictures at random, and of the worst misses (12)"
    )
    parser.add_argument("--bootstrap", type=accepted.count, default=1000, help="draws for the confidence bands (1000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
