"""Anchors, box coder, matcher and sampler on tiny hand-written tensors."""

import pytest
import torch

from detection.network import boxcoder
from detection.network.anchors import anchors
from detection.network.matcher import BACKGROUND, LESION, NEITHER, match
from detection.network.overlap import area, iou
from detection.network.sampler import sample


def test_an_anchor_sits_on_its_cell_with_its_area_and_ratio():
    boxes = anchors(2, 3, stride=8, origin=3.5, scales=(16, 32), ratios=(0.5, 1, 2))
    assert boxes.shape == (2 * 3 * 6, 4)
    assert area(boxes[:6]).tolist() == pytest.approx([256] * 3 + [1024] * 3)
    size = boxes[:, 2:] - boxes[:, :2]
    assert (size[:3, 1] / size[:3, 0]).tolist() == pytest.approx([0.5, 1, 2])
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert centre[::6, 0].tolist() == pytest.approx([3.5, 11.5, 19.5] * 2)
    assert centre[::6, 1].tolist() == pytest.approx([3.5] * 3 + [11.5] * 3)


def test_decoding_undoes_encoding():
    reference = torch.tensor([[0.0, 0, 10, 20], [5, 5, 30, 9]])
    boxes = torch.tensor([[2.0, 1, 15, 18], [4, 4, 40, 12]])
    deltas = boxcoder.encode(boxes, reference, (0.1, 0.2))
    torch.testing.assert_close(boxcoder.decode(deltas, reference, (0.1, 0.2)), boxes)


def test_a_shift_by_the_width_is_one():
    delta = boxcoder.encode(torch.tensor([[10.0, 0, 20, 10]]), torch.tensor([[0.0, 0, 10, 10]]), (1.0, 1.0))
    assert delta.tolist() == [[1, 0, 0, 0]]


def test_huge_growth_stays_finite():
    found = boxcoder.decode(torch.full((1, 4), 1e6), torch.tensor([[0.0, 0, 10, 10]]), (1.0, 1.0))
    assert found.isfinite().all()


def test_overlap_of_hand_made_boxes():
    first = torch.tensor([[0.0, 0, 10, 10], [3, 3, 3, 3]])
    second = torch.tensor([[5.0, 0, 15, 10], [20, 20, 30, 30]])
    assert iou(first, second)[0].tolist() == pytest.approx([1 / 3, 0])
    assert iou(first, first)[1, 1].isnan()


LESIONS = torch.tensor([[0.0, 0, 10, 10], [50, 50, 54, 54]])


def test_boxes_match_by_overlap_and_the_best_one_stands_for_a_small_lesion():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [30, 30, 40, 40], [48, 48, 58, 58]])
    labels, which = match(boxes, LESIONS, high=0.7, low=0.3, force=True)
    assert labels.tolist() == [LESION, NEITHER, BACKGROUND, LESION]
    assert which[[0, 3]].tolist() == [0, 1]
    labels, _ = match(boxes, LESIONS, high=0.7, low=0.3, force=False)
    assert labels.tolist() == [LESION, NEITHER, BACKGROUND, BACKGROUND]


def test_without_lesions_all_is_background():
    labels, _ = match(torch.rand(5, 4), torch.zeros(0, 4), high=0.7, low=0.3, force=True)
    assert labels.tolist() == [BACKGROUND] * 5


def test_a_sample_is_balanced_filled_up_and_decided_by_the_seed():
    labels = torch.tensor([LESION] * 20 + [NEITHER] * 5 + [BACKGROUND] * 100)
    positive, negative = sample(labels, 32, 0.25, torch.Generator().manual_seed(3))
    assert (len(positive), len(negative)) == (8, 24)
    assert (labels[positive] == LESION).all()
    assert (labels[negative] == BACKGROUND).all()
    again = sample(labels, 32, 0.25, torch.Generator().manual_seed(3))
    assert torch.equal(positive, again[0])
    assert torch.equal(negative, again[1])
    positive, negative = sample(labels[17:], 32, 0.25, torch.Generator().manual_seed(3))
    assert (len(positive), len(negative)) == (3, 29)
