"""The two losses on tiny hand-written scores."""

import math

import torch

from detection.bodypart.losses import BEND, UNIT_MM, distance_loss, order_loss

MM = torch.tensor([True])


def test_order_loss_is_the_sum_of_negative_log_sigmoids() -> None:
    scores = torch.tensor([[0.0, 1.0, 3.0]])
    expected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))
    assert math.isclose(order_loss(scores).item(), expected, rel_tol=1e-6)


def test_order_loss_prefers_head_to_feet() -> None:
    rising = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    assert order_loss(rising) < order_loss(rising.flip(1))


def test_distance_loss_is_smooth_l1_between_steps_and_distances_in_mm() -> None:
    scores = torch.tensor([[0.0, 1.2, 4.2]])  # for 1 and 1: off by 0.2 and 2
    expected = 0.2**2 / 2 / BEND + 2 - BEND / 2
    assert math.isclose(distance_loss(scores, torch.tensor([[UNIT_MM, UNIT_MM]]), MM).item(), expected, rel_tol=1e-5)


def test_distance_loss_vanishes_on_the_right_line_with_unequal_gaps() -> None:
    gaps = torch.tensor([[60.0, 240.0, 30.0]])
    scores = torch.cat([torch.zeros(1, 1), gaps.cumsum(1)], dim=1) / UNIT_MM
    assert distance_loss(scores, gaps, MM).item() < 1e-10
    assert distance_loss(2 * scores, gaps, MM).item() > 1
    assert distance_loss(scores, torch.full((1, 3), 110.0), MM).item() > 1


def test_without_a_known_interval_any_line_will_do() -> None:
    gaps = torch.tensor([[1.0, 4.0, 0.5]])
    scores = torch.cat([torch.zeros(1, 1), gaps.cumsum(1)], dim=1)
    for slope in (0.1, 3.0):
        assert distance_loss(slope * scores, gaps, ~MM).item() < 1e-10
    assert distance_loss(scores, torch.ones(1, 3), ~MM).item() > 1
