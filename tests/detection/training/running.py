"""Trainings that take seconds, and what they leave behind."""

import dataclasses
import json
from pathlib import Path

import torch

from detection import train as command
from detection.data.dataset import Slices
from detection.data.release import open_release
from detection.network.detector import Detector
from detection.presets import TINY, Preset
from detection.training import settings
from detection.training.loop import Machine, train
from detection.training.settings import Settings
from detection.training.validation import some

SMALL = dataclasses.replace(
    TINY,
    input=dataclasses.replace(TINY.input, size=64),
    training=dataclasses.replace(TINY.training, steps=0, epochs=3, drop_after=2, batch=4, validate_every=0),
)


def run(folder: Path, release: Path, preset: Preset = SMALL, machine: Machine | None = None, **options) -> list[dict]:
    """Train and give the metrics."""
    opened = open_release(release)
    asked = Settings(preset, opened.name, opened.sha256, seed=3)
    settings.write(folder, asked)
    torch.manual_seed(asked.seed)
    data = Slices(opened, opened.samples("train"), preset.input, cache=folder / "cache", seed=3)
    train(folder, asked, Detector(preset), data, machine or Machine("cpu"), **options)
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def validated(folder: Path, release: Path, **options) -> list[dict]:
    """Train with a look at the validation split after every epoch."""
    opened = open_release(release)
    data = Slices(opened, some(opened.samples("val"), 0), SMALL.input)
    return run(folder, release, validation=data, **options)


def lines_of(folder: Path) -> list[str]:
    """Lines of metrics.jsonl as they stand."""
    path = folder / "metrics.jsonl"
    return path.read_text().splitlines() if path.is_file() else []


def start(*arguments) -> int:
    """Train with the command, on the processor."""
    return command.main([*map(str, arguments), "--accelerator", "cpu"])
