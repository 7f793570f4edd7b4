"""Damaged files, and files of something else, in the place of what torch wrote."""

import json
import warnings

import numpy as np
import pytest
import torch

from detection import train
from detection.bodypart.errors import BodyPartError
from detection.bodypart.model import load_model
from detection.data.identity import identify
from detection.errors import BadCheckpoint, BadRun
from detection.network import weights
from detection.network.backbones import KINDS
from detection.presets import TINY, to_json
from detection.training import checkpoint, settings
from detection.training.settings import Settings

KIND = "body-part regressor"
STATE = {"preset": to_json(TINY), "step": 1, "best": -1.0, "network": {}, "optimizer": {}}
"""A checkpoint but for the weights."""


def damaged(good: bytes, count: int):
    """Noise, cut files and files with some bytes changed."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.bytes(int(rng.integers(0, 300)))
        yield good[: int(rng.integers(0, len(good)))]
        changed = bytearray(good)
        for place in rng.integers(0, len(good), 5).tolist():
            changed[place] ^= 255
        yield bytes(changed)
        yield b"\x80\x02" + rng.bytes(40)


def loaders(path):
    """Everything that reads such a file, with the error that it may raise."""
    backbone = KINDS["alexnet"]()
    return (
        (lambda: load_model(path), BodyPartError),
        (lambda: weights.from_file(backbone, path), BadCheckpoint),
        (lambda: checkpoint.load(path.parent, TINY), BadCheckpoint),
    )


def test_damaged_files_are_named_whatever_is_in_them(tmp_path):
    path = tmp_path / checkpoint.FILE
    torch.save({"kind": 1, "values": torch.zeros(50)}, path)
    every = loaders(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in damaged(path.read_bytes(), 40):
            path.write_bytes(content)
            for read, expected in every:
                with pytest.raises(expected):
                    read()


@pytest.mark.parametrize(
    "content",
    [
        [1], "text", {1: torch.zeros(1)}, {}, {"features.0.weight": 5}, {"kind": KIND}, {"kind": KIND, "format": 2},
        {"kind": KIND, "format": 2, "preset": 5}, {"preset": "x", "step": 1}, {"preset": {"name": "tiny"}},
        {**STATE, "step": "x"}, {**STATE, "best": None}, {**STATE, "preset": {"name": 1, "input": 2, "network": 3}},
        {name: value for name, value in STATE.items() if name != "step"},
        {"state_dict": {"features.0.weight": torch.zeros(64, 3, 11, 11)}},
    ],
)  # fmt: skip
def test_files_of_something_else_are_named(tmp_path, content):
    path = tmp_path / checkpoint.FILE
    torch.save(content, path)
    for read, expected in loaders(path):
        with pytest.raises(expected):
            read()


@pytest.mark.parametrize("network", [{}, 5, {"rpn.conv.weight": 5}])
def test_a_checkpoint_with_other_weights_is_named(tmp_path, network):
    settings.write(tmp_path, Settings(TINY, "discs", "0"))
    torch.save({**STATE, "network": network}, tmp_path / checkpoint.FILE)
    with pytest.raises(BadCheckpoint, match=r"checkpoint\.pt belongs to another network, or is damaged"):
        checkpoint.detector(tmp_path)


@pytest.mark.parametrize("part", ["preset", "network", "backbone"])
def test_a_run_of_another_version_is_named(tmp_path, part):
    content = to_json(TINY)
    if part == "backbone":
        content["network"]["backbone"] = "vgg19"
    elif part == "network":
        content["network"] = 5
    path = settings.FILE
    settings.write(tmp_path, Settings(TINY, "discs", "0"))
    kept = json.loads((tmp_path / path).read_text())
    (tmp_path / path).write_text(json.dumps({**kept, "preset": 5 if part == "preset" else content}))
    with pytest.raises(BadRun, match="train"):
        settings.read(tmp_path)


def test_an_empty_run_folder_and_one_without_a_checkpoint_are_named(discs, tmp_path, capsys):
    arguments = [str(discs), "--out", str(tmp_path), "--resume", "--accelerator", "cpu"]
    assert train.main(arguments) == 1
    settings.write(tmp_path, Settings(TINY, "discs", identify(discs).sha256))
    assert train.main(arguments) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("is no run: it holds no run.json.")
    assert second.endswith("holds no checkpoint yet; train it first.")
