"""The command line of training: what it asks for, and whether a run that goes on was started with the same."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from detection import accepted
from detection.errors import BadRun
from detection.inference import LOADERS
from detection.network.weights import URLS
from detection.presets import PRESETS, Preset
from detection.training.settings import Settings

PRESET, WEIGHTS, AUTO = "paper", "imagenet", "auto"


def parser() -> argparse.ArgumentParser:
    """What decides a run's result is None unless given, so that a run that goes on can be held against it."""
    made = argparse.ArgumentParser(prog="python -m detection.train", description="Train the lesion detector.")
    made.add_argument("release", type=Path, help="release folder, or the published DeepLesion")
    made.add_argument("--out", type=Path, required=True, help="folder of the run")
    made.add_argument("--resume", action="store_true", help="go on from the run's checkpoint, as it was started")
    made.add_argument("--preset", choices=list(PRESETS), help=f"which detector ({PRESET})")
    made.add_argument("--weights", help=f"{WEIGHTS} (default), random, or a torchvision checkpoint")
    made.add_argument("--fraction", type=accepted.share, help="share of the training patients (1)")
    made.add_argument("--seed", type=accepted.seed, help="what all that is random starts from (0)")
    made.add_argument("--backbone", choices=list(URLS), help="instead of the preset's")
    made.add_argument("--batch", type=accepted.positive, help="images per step over all devices")
    made.add_argument("--epochs", type=accepted.positive)
    made.add_argument("--learning-rate", type=accepted.above_zero)
    made.add_argument("--precision", choices=[AUTO, "32-true", "bf16-mixed"], help="auto unless given")
    machine = made.add_argument_group("the machine; may change when a run goes on")
    machine.add_argument("--accelerator", choices=["auto", "cpu", "cuda"], default="auto")
    machine.add_argument("--devices", type=accepted.positive, default=1,
                         help="GPUs or CPU processes (1); torchrun says it itself")  # fmt: skip
    machine.add_argument("--workers", type=accepted.count,
                         help=f"loader processes per device (up to {LOADERS} for a GPU, else 0)")  # fmt: skip
    machine.add_argument(
        "--cache", type=Path, help="folder that keeps decoded slices (RUN/cache, until the training is over)"
    )
    machine.add_argument("--minutes", type=accepted.above_zero, default=float("inf"),
                         help="stop with a checkpoint after so long")  # fmt: skip
    beyond = made.add_argument_group("beyond the paper", "off in paper and context; tiny flips and scales")
    beyond.add_argument("--spacing", type=accepted.above_zero,
                        help="crop to the body and bring a pixel to so many mm, e.g. 0.8")  # fmt: skip
    beyond.add_argument("--flip", action=argparse.BooleanOptionalAction, default=None,
                        help="mirror left and right at random")  # fmt: skip
    beyond.add_argument("--scale", type=accepted.below_one, help="zoom at random by up to this share")
    beyond.add_argument("--z-jitter", type=accepted.at_least_zero,
                        help="move the neighbours at random by up to so many mm")  # fmt: skip
    beyond.add_argument("--ignore-unannotated", type=accepted.share,
                        help="share of sure proposals without a lesion to leave out")  # fmt: skip
    return made


def preset(options: argparse.Namespace) -> Preset:
    """The named preset with what the command line changes about it."""
    named = PRESETS[options.preset or PRESET]
    wanted = {name: getattr(options, name) for name in ("batch", "epochs", "learning_rate", "ignore_unannotated")}
    training = dataclasses.replace(named.training, **_given(wanted))
    if options.epochs:
        # Three quarters as in the paper, whole epochs; rounded down, so that two epochs have a second part, too.
        # Each epoch is validated: an interval made for another length may be longer than the whole training.
        drop = max(1, options.epochs * 3 // 4)
        training = dataclasses.replace(training, steps=0, drop_after=drop, validate_every=0)
    network = dataclasses.replace(named.network, **_given({"backbone": options.backbone}))
    inputs = dataclasses.replace(named.input, **_given({"spacing_mm": options.spacing}))
    changes = {"flip": options.flip, "scale": options.scale, "z_jitter_mm": options.z_jitter}
    augmentation = dataclasses.replace(named.augmentation, **_given(changes))
    return Preset(named.name, inputs, network, training, augmentation)


def check_batch(preset: Preset, images: int) -> None:
    """Hold a batch against the images to train on: a last step is filled up with them, but not many times over.

    Raises
    ------
    BadRun : it is larger than they are, and than the one of the preset of its name.
    """
    batch, usual = preset.training.batch, PRESETS[preset.name].training.batch
    if batch > max(images, usual):
        raise BadRun(f"A batch of {batch} is larger than the {images} images to train on; ask for a smaller --batch")


def check_resumed(options: argparse.Namespace, settings: Settings) -> None:
    """Hold what is asked for against what a run was started with; it goes on as it was started.

    Raises
    ------
    BadRun : they differ.
    """
    kept, training = settings.preset, settings.preset.training
    started = {
        "preset": kept.name, "fraction": settings.fraction, "seed": settings.seed, "backbone": kept.network.backbone,
        "batch": training.batch, "epochs": None if training.steps else training.epochs,
        "learning_rate": training.learning_rate, "precision": settings.precision, "spacing": kept.input.spacing_mm,
        "flip": kept.augmentation.flip, "scale": kept.augmentation.scale, "z_jitter": kept.augmentation.z_jitter_mm,
        "ignore_unannotated": training.ignore_unannotated,
    }  # fmt: skip
    asked = {name: getattr(options, name) for name in started}
    if options.precision == AUTO:
        del asked["precision"]
    differing = [(name, value) for name, value in _given(asked).items() if value != started[name]]
    if not _same_weights(options.weights, settings):
        differing.append(("weights", options.weights))
    for name, value in differing:
        flag = f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        flag = "--no-flip" if value is False else flag
        raise BadRun(f"{options.out} was not started with {flag}; leave that out to go on, or start another run")


def _same_weights(asked: str | None, settings: Settings) -> bool:
    """A run that asked for ImageNet's weights records their file, or that there were none to be had."""
    if asked is None:
        return True
    if asked == WEIGHTS:
        url = URLS.get(settings.preset.network.backbone, "")
        return settings.weights in ("random", url.rpartition("/")[2])
    return Path(asked).name == settings.weights


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
