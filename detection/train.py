"""Command line: `python -m detection.train RELEASE --preset paper --out RUN`, or torchrun with the same module."""

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from detection.data.dataset import Slices
from detection.data.release import Release, open_release
from detection.disk import writing
from detection.errors import BadRun, DetectorError, EmptySplit
from detection.inference import is_fast_in_bfloat16, pick_device
from detection.network import weights as pretrained
from detection.network.detector import Detector
from detection.presets import PRESETS, Preset
from detection.training import checkpoint
from detection.training import settings as run
from detection.training.journal import Progress
from detection.training.loop import Machine, is_first_process, train
from detection.training.optimizer import make_optimizer
from detection.training.settings import Settings
from detection.training.validation import some


def main(arguments: list[str] | None = None) -> int:
    """Train; returns the exit status."""
    options = _parser().parse_args(arguments)
    machine = Machine(options.accelerator, options.devices, options.workers, options.minutes * 60)
    try:
        if options.resume:
            resume(options.release, options.out, machine, cache=options.cache, progress=_tell)
        else:
            start(
                options.release, options.out, _preset(options), machine, weights=options.weights, seed=options.seed,
                fraction=options.fraction, precision=options.precision, cache=options.cache, progress=_tell,
            )  # fmt: skip
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    return 0


def start(
    folder: Path,
    out: Path,
    preset: Preset,
    machine: Machine,
    *,
    weights: str = "imagenet",
    seed: int = 0,
    fraction: float = 1.0,
    precision: str = "auto",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> int:
    """Train a preset on the training split of a release, into a new run folder; returns the steps done.

    Parameters
    ----------
    folder : the release; out : the run.
    weights : `imagenet`, `random`, or the path of a checkpoint with torchvision's names. Where ImageNet's cannot be
        had, training starts from random weights, says so and records it.
    fraction : share of the training patients.
    precision : `32-true`, `bf16-mixed`, or `auto`: the latter where the device is fast in it. Recorded.
    cache : folder of decoded slices, OUT/cache unless given.

    Raises
    ------
    DetectorError : any of its kinds.
    """
    release = open_release(folder)
    if precision == "auto":
        precision = "bf16-mixed" if is_fast_in_bfloat16(pick_device(machine.accelerator)) else "32-true"
    if is_first_process() and (out / checkpoint.FILE).exists() and (out / run.FILE).exists():
        raise BadRun(f"{out} holds a run already; go on with --resume or name another folder")
    settings = Settings(
        preset=preset, release=release.name, release_sha256=release.sha256, seed=seed, fraction=fraction,
        precision=precision,
    )  # fmt: skip
    data = _data(release, settings, cache or out / "cache")
    torch.manual_seed(seed)
    network = Detector(preset)
    settings = dataclasses.replace(settings, weights=_weights(network, weights))
    _freeze(network, settings)
    if is_first_process():
        # What it starts from goes first: a run that is there can be resumed, however early it is cut off.
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
            checkpoint.Keeper(out, preset, network, make_optimizer(network, preset.training)).keep(0, {})
        run.write(out, settings)
    validation = _validation(release, settings, cache, out)
    return train(out, settings, network, data, machine, progress=progress, validation=validation)


def resume(
    folder: Path, out: Path, machine: Machine, *, cache: Path | None = None, progress: Progress | None = None
) -> int:
    """Go on with a run from its checkpoint, as it was started; returns the steps done in all.

    Raises
    ------
    DetectorError : any of its kinds; BadRun where the release is not the run's.
    """
    release = open_release(folder)
    settings = run.read(out)
    if settings.release_sha256 != release.sha256:
        raise BadRun(f"{out} was trained on {settings.release}, not on this {release.name}")
    data = _data(release, settings, cache or out / "cache")
    network = Detector(settings.preset)
    _freeze(network, settings)
    validation = _validation(release, settings, cache, out)
    return train(out, settings, network, data, machine, resume=True, progress=progress, validation=validation)


def _freeze(network: Detector, settings: Settings) -> None:
    if settings.weights != "random":
        network.freeze_early()


def _data(release: Release, settings: Settings, cache: Path) -> Slices:
    preset = settings.preset
    samples = release.samples("train", fraction=settings.fraction, seed=settings.seed)
    return Slices(release, samples, preset.input, cache=cache, augmentation=preset.augmentation, seed=settings.seed)


def _validation(release: Release, settings: Settings, cache: Path | None, out: Path) -> Slices | None:
    """Some of the validation split, for the process that looks; a release without one trains all the same."""
    if not is_first_process():
        return None
    try:
        samples = release.samples("val")
    except EmptySplit:
        sys.stderr.write(f"Nothing is validated: {release.name} has no lesion in the val split.\n")
        return None
    return Slices(release, some(samples, settings.seed), settings.preset.input, cache=cache or out / "cache")


def _weights(network: Detector, source: str) -> str:
    """Load what the backbone starts from and name it."""
    if source == "random":
        sys.stderr.write("The backbone starts from random weights, as asked.\n")
        return "random"
    if source != "imagenet":
        pretrained.from_file(network.backbone, Path(source))
        return Path(source).name
    try:
        return pretrained.from_imagenet(network.backbone, network.preset.network.backbone)
    except pretrained.NoWeights as error:
        sys.stderr.write(f"The backbone starts from random weights: {error}.\n")
        return "random"


def _preset(options: argparse.Namespace) -> Preset:
    """The named preset with what the command line changes about it."""
    preset = PRESETS[options.preset]
    wanted = {"batch": options.batch, "epochs": options.epochs, "learning_rate": options.learning_rate}
    training = dataclasses.replace(preset.training, **{name: value for name, value in wanted.items() if value})
    if options.epochs:
        training = dataclasses.replace(training, steps=0, drop_after=max(1, round(options.epochs * 0.75)))
    if options.ignore_unannotated:
        training = dataclasses.replace(training, ignore_unannotated=options.ignore_unannotated)
    network = dataclasses.replace(preset.network, backbone=options.backbone or preset.network.backbone)
    inputs = dataclasses.replace(preset.input, spacing_mm=options.spacing)
    augmentation = dataclasses.replace(
        preset.augmentation,
        flip=options.flip or preset.augmentation.flip,
        scale=options.scale or preset.augmentation.scale,
        z_jitter_mm=options.z_jitter,
    )
    return Preset(preset.name, inputs, network, training, augmentation)


def _tell(done: int, total: int, left: float) -> None:
    sys.stderr.write(f"step {done}/{total}, {left / 60:.1f} min left\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m detection.train", description="Train the lesion detector.")
    parser.add_argument("release", type=Path, help="release folder, or the published DeepLesion")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--preset", choices=list(PRESETS), default="paper")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint, as it was started")
    parser.add_argument(
        "--weights", default="imagenet", help="imagenet (default), random, or a torchvision checkpoint"
    )
    parser.add_argument("--fraction", type=_share, default=1.0, help="share of the training patients (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backbone", choices=list(pretrained.URLS), help="instead of the preset's")
    parser.add_argument("--batch", type=_positive, help="images per step over all devices")
    parser.add_argument("--epochs", type=_positive)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--precision", choices=["auto", "32-true", "bf16-mixed"], default="auto")
    parser.add_argument("--accelerator", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--devices", type=_positive, default=1, help="GPUs or CPU processes (1); torchrun says it itself"
    )
    parser.add_argument("--workers", type=int, default=0, help="loader processes per device (0)")
    parser.add_argument("--cache", type=Path, help="folder for decoded slices (RUN/cache)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop with a checkpoint after so long")
    beyond = parser.add_argument_group("beyond the paper")
    beyond.add_argument("--spacing", type=float, help="crop to the body and bring a pixel to so many mm, e.g. 0.8")
    beyond.add_argument("--flip", action="store_true", help="mirror left and right at random")
    beyond.add_argument("--scale", type=float, default=0.0, help="zoom at random by up to this share")
    beyond.add_argument(
        "--z-jitter", type=float, default=0.0, help="move the neighbours at random by up to so many mm"
    )
    beyond.add_argument(
        "--ignore-unannotated", type=_share, default=0.0, help="share of sure proposals without a lesion to leave out"
    )
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
