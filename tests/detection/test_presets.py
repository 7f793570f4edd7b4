"""Presets: what is said of their size without torch holds, and what the command line makes of their length."""

import dataclasses

import pytest
import torch

from detection.bodypart import settings
from detection.bodypart.network import Regressor
from detection.network.detector import Detector
from detection.presets import PARAMETERS, PRESETS
from detection.training import command


@pytest.mark.parametrize("backbone", PARAMETERS)
def test_the_number_of_weights_is_that_of_the_largest_preset(backbone):
    found = []
    for preset in PRESETS.values():
        if (preset.network.backbone == "narrow") == (backbone == "narrow"):
            network = dataclasses.replace(preset.network, backbone=backbone)
            with torch.device("meta"):
                detector = Detector(dataclasses.replace(preset, network=network))
            found.append(sum(each.numel() for each in detector.parameters()))
    assert max(found) == pytest.approx(PARAMETERS[backbone], rel=0.02)


@pytest.mark.parametrize("name", settings.PRESETS)
def test_the_number_of_weights_is_that_of_the_regressor(name):
    preset = settings.PRESETS[name]
    found = sum(each.numel() for each in Regressor(preset.channels, preset.depth).parameters())
    assert found == pytest.approx(settings.PARAMETERS[name], rel=0.02)


@pytest.mark.parametrize(("epochs", "after"), [(8, 6), (4, 3), (3, 2), (2, 1)])
def test_of_so_many_epochs_the_last_ones_learn_at_a_tenth_of_the_rate(epochs, after):
    options = command.parser().parse_args(["release", "--out", "run", "--epochs", str(epochs)])
    assert command.preset(options).training.drop_after == after
