"""Random changes of a sample: what becomes of lesions that a zoom moves off the image."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from detection.data.augment import augment
from detection.network.detector import Detector
from detection.network.sampler import generators
from detection.presets import TINY, Augmentation

AIR = np.full((3, 100, 100), -1024, dtype=np.int16)


def zoomed(boxes: list[list[float]], zoom: float) -> np.ndarray:
    """Boxes on an image of 100 x 100 pixels, about whose middle it is zoomed by so much."""
    draws = SimpleNamespace(uniform=lambda low, high: zoom - 1)
    return augment(AIR, np.array(boxes, dtype=np.float64), Augmentation(scale=0.5), draws)[1]


def test_a_lesion_that_a_zoom_moves_mostly_off_the_image_is_dropped():
    # Doubled, the image shows what was between 24.5 and 74.5.
    gone, mostly_gone, mostly_there, there = [2, 40, 12, 50], [18, 40, 28, 50], [20, 40, 40, 50], [45, 45, 55, 55]
    kept = zoomed([gone, mostly_gone, mostly_there, there], 2)
    assert kept.tolist() == [[-9.5, 30.5, 30.5, 50.5], [40.5, 40.5, 60.5, 60.5]]
    assert zoomed([gone], 2).shape == (0, 4)


@pytest.mark.parametrize("zoom", [0.7, 1.0, 1.01])
def test_a_box_that_hangs_over_the_edge_from_the_beginning_stays(zoom):
    assert len(zoomed([[-20, 40, 10, 60], [90, 95, 130, 140]], zoom)) == 2


def test_a_network_learns_from_images_of_which_one_or_all_lost_their_lesions():
    network = Detector(TINY).train()
    hu = torch.from_numpy(np.stack([AIR, AIR])[:, : TINY.input.groups * 3])
    for boxes in ([torch.zeros(0, 4), torch.tensor([[20.0, 20, 40, 40]])], [torch.zeros(0, 4)] * 2):
        total = network(hu, boxes, generators(0, 1, [0, 1])).total()
        total.backward()
        assert torch.isfinite(total)
