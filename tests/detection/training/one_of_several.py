"""Trains AlexNet at 64 x 64 for an epoch, alone or as one process of torchrun: one_of_several.py RELEASE OUT."""

import dataclasses
import sys
from pathlib import Path

import torch

from detection import train
from detection.presets import PAPER
from detection.training.loop import Machine

torch.set_num_threads(1)
# A network without batch normalisation, whose statistics are each process's own.
preset = dataclasses.replace(
    PAPER,
    input=dataclasses.replace(PAPER.input, size=64),
    network=dataclasses.replace(PAPER.network, backbone="alexnet", proposals_training=200),
    training=dataclasses.replace(PAPER.training, batch=4, epochs=2, drop_after=2, anchors_per_image=32),
)
train.start(Path(sys.argv[1]), Path(sys.argv[2]), preset, Machine("cpu"), weights="random", precision="32-true")
