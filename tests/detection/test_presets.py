"""Presets: what is said of their size without torch holds."""

import dataclasses

import pytest
import torch

from detection.bodypart import settings
from detection.bodypart.network import Regressor
from detection.network.detector import Detector
from detection.presets import PARAMETERS, PRESETS


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
