"""Presets: what is said of their size without torch holds, and what the command line makes of their length."""

import dataclasses

import pytest
import torch

from detection.bodypart import settings
from detection.bodypart.network import Regressor
from detection.errors import BadRun
from detection.network.detector import Detector
from detection.presets import PARAMETERS, PRESETS, TINY, Augmentation
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


def test_what_lies_beyond_the_paper_is_off_but_in_tiny_where_it_can_be_switched_off():
    def augmentation(*asked):
        return command.preset(command.parser().parse_args(["release", "--out", "run", *asked])).augmentation

    assert augmentation("--preset", "paper") == augmentation("--preset", "context") == Augmentation()
    assert augmentation("--preset", "tiny") == Augmentation(flip=True, scale=0.15)
    assert augmentation("--preset", "tiny", "--no-flip", "--scale", "0") == Augmentation()


def test_a_batch_of_more_images_than_there_are_is_refused_unless_it_is_the_presets_own():
    def asked(batch):
        return dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, batch=batch))

    command.check_batch(TINY, 3)
    command.check_batch(asked(20), 20)
    with pytest.raises(BadRun, match=r"^A batch of 21 is larger than the 20 images to train on; ask for a "):
        command.check_batch(asked(21), 20)
