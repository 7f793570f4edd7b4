"""Which anchors the region proposal network learns from."""

import pytest
import torch

from detection.network.rpn import ProposalNetwork
from detection.presets import PAPER

SIZE, STRIDE = 512, 8


@pytest.fixture(scope="module")
def anchors():
    network = ProposalNetwork(4, PAPER.network, STRIDE, 3.5)
    return network, network.anchors(SIZE // STRIDE, SIZE // STRIDE, torch.device("cpu"))


@pytest.mark.parametrize(
    "lesion", [(0, 0, 20, 20), (0, 200, 25, 225), (491, 491, 511, 511), (300, 0, 330, 12), (200, 200, 240, 240)]
)
def test_a_lesion_at_the_border_has_an_anchor_and_those_across_the_border_take_no_part(anchors, lesion):
    network, boxes = anchors
    logits, deltas = torch.zeros(1, len(boxes), requires_grad=True), torch.zeros(1, len(boxes), 4, requires_grad=True)
    generators = [torch.Generator().manual_seed(0)]
    losses = network.loss(logits, deltas, boxes, [torch.tensor([lesion]).float()], SIZE, PAPER.training, generators)
    sum(losses).backward()
    crossing = ((boxes < 0) | (boxes > SIZE - 1)).any(dim=1)
    learned = logits.grad[0] != 0
    assert learned.sum() == PAPER.training.anchors_per_image
    assert not (learned & crossing).any()
    standing = (deltas.grad[0] != 0).any(dim=1)
    assert standing.any(), "an anchor that is pulled to the lesion"
    assert not (standing & crossing).any()
