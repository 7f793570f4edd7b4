"""The two losses on tiny hand-written scores."""

import math

import torch

from detection.bodypart.losses import distance_loss, order_loss


def test_order_loss_is_the_sum_of_negative_log_sigmoids() -> None:
    scores = torch.tensor([[0.0, 1.0, 3.0]])
    expected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))
    assert math.isclose(order_loss(scores).item(), expected, rel_tol=1e-6)


def test_order_loss_prefers_head_to_feet() -> None:
    rising = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    assert order_loss(rising) < order_loss(rising.flip(1))


def test_distance_loss_with_equal_gaps_is_smooth_l1_of_second_differences() -> None:
    scores = torch.tensor([[0.0, 1.0, 1.5, 5.0]])  # second differences -0.5 and 3
    expected = 0.5 * 0.5**2 + (3 - 0.5)
    assert math.isclose(distance_loss(scores, torch.ones(1, 3)).item(), expected, rel_tol=1e-6)


def test_distance_loss_vanishes_on_a_line_with_unequal_gaps() -> None:
    gaps = torch.tensor([[1.0, 4.0, 0.5]])
    scores = torch.cat([torch.zeros(1, 1), gaps.cumsum(1)], dim=1)
    assert distance_loss(scores, gaps).item() < 1e-10
    assert distance_loss(scores, torch.ones(1, 3)).item() > 1


def test_two_close_slices_do_not_blow_the_distance_loss_up() -> None:
    scores = torch.tensor([[0.0, 1.0, 1.3, 2.0]])
    assert distance_loss(scores, torch.tensor([[1.0, 0.01, 1.0]])).item() < 2
