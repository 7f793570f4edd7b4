"""The whole network: its size and cost, its losses and its detections."""

import dataclasses

import pytest
import torch

from detection.network.cost import flop, flop_of_learning, parameters
from detection.network.detector import Detector, Window
from detection.network.sampler import generators
from detection.presets import CONTEXT, PAPER, PRESETS, TINY, Input, from_json, to_json

LESIONS = [torch.tensor([[20.0, 24.0, 44.0, 50.0]]), torch.zeros(0, 4)]


@pytest.fixture(scope="module")
def small():
    preset = dataclasses.replace(TINY, input=dataclasses.replace(TINY.input, size=96))
    torch.manual_seed(0)
    return Detector(preset)


def slices(channels=3, size=96):
    return torch.randint(-1000, 1000, (2, channels, size, size), generator=torch.Generator().manual_seed(0))


def test_the_papers_network_has_its_size_and_its_cost():
    assert round(parameters(Detector(PAPER)) / 1e6, 2) == 26.03
    assert round(flop(PAPER) / 1e9, 1) == 262.8


def test_learning_costs_the_sampled_proposals_and_the_gradients_of_all_but_the_first_input():
    sampled, first_input = flop(PAPER, proposals=32), 2 * 9 * 3 * 64 * 512**2
    assert flop_of_learning(PAPER) == 3 * sampled - first_input
    assert round(flop_of_learning(PAPER) / 1e9, 1) == 682.1, "300 proposals would give 788.4"


def test_losses_are_positive_and_the_seed_decides_them(small):
    small.train()
    first, again, other = (
        small(slices().to(torch.int16), LESIONS, generators(seed, 1, range(2))) for seed in (1, 1, 2)
    )
    assert torch.stack(first).tolist() == torch.stack(again).tolist()
    assert torch.stack(first).tolist() != torch.stack(other).tolist()
    assert (torch.stack(first) > 0).all()


def test_a_batch_without_lesions_has_finite_losses_and_gradients(small):
    small.train()
    small(slices(), [torch.zeros(0, 4)] * 2, generators(0, 1, range(2))).total().backward()
    assert all(values.grad is not None and values.grad.isfinite().all() for values in small.parameters())
    small.zero_grad()


def test_detections_lie_on_the_image_in_the_order_of_their_scores(small):
    small.eval()
    with torch.no_grad():
        for found in small(slices()):
            assert 0 < len(found.boxes) <= TINY.network.detections
            assert found.boxes.min() >= 0
            assert found.boxes.max() <= 95
            assert (found.scores.diff() <= 0).all()


def test_an_image_is_detected_alike_alone_and_in_a_batch(small):
    small.eval()
    with torch.no_grad():
        both, alone = small(slices())[1], small(slices()[1:])[0]
    torch.testing.assert_close(both.boxes, alone.boxes, atol=1e-2, rtol=1e-3)


def test_context_starts_as_if_there_were_the_middle_group_alone():
    preset = dataclasses.replace(
        CONTEXT, input=Input(size=64, groups=3), network=dataclasses.replace(PAPER.network, backbone="alexnet")
    )
    torch.manual_seed(0)
    network = Detector(preset).eval()
    hu = slices(9, 64)
    with torch.no_grad():
        key, fused = network.features(hu)
        alone = network.backbone(network.window(hu[:, 3:6]))
    torch.testing.assert_close(key, alone, atol=1e-3, rtol=1e-3)
    assert (fused - key).abs().mean() < 0.1 * key.abs().mean()


def test_the_window_brings_its_ends_to_imagenets_black_and_white():
    shown = Window(Input())(torch.tensor([-2000, -1024, 3071]).reshape(1, 3, 1, 1))
    assert shown.flatten().tolist() == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225])


def test_only_pretrained_early_layers_are_frozen():
    network = Detector(PAPER)
    assert all(values.requires_grad for values in network.parameters())
    network.freeze_early()
    frozen = {name for name, values in network.named_parameters() if not values.requires_grad}
    assert frozen == {f"backbone.features.{place}.{kind}" for place in (0, 2, 5, 7) for kind in ("weight", "bias")}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_survives_json(preset):
    import json

    assert from_json(json.loads(json.dumps(to_json(preset)))) == preset


def test_box_frame_and_map_agree():
    """A detection is found where the lesion is, not half a stride beside: the head pools what lies under its box."""
    preset = dataclasses.replace(PAPER, network=dataclasses.replace(PAPER.network, pooling="align"))
    head = Detector(preset).head
    columns = torch.arange(64.0) * 8 + 3.5
    maps = columns.expand(1, 512, 64, 64).contiguous()
    pooled = head.pool(maps, torch.tensor([[100.0, 100.0, 170.0, 170.0]]), torch.zeros(1, dtype=torch.int64))
    assert pooled[0, 0, 0].tolist() == pytest.approx([105, 115, 125, 135, 145, 155, 165], abs=0.01)


def test_sure_proposals_without_a_lesion_can_be_left_out_of_the_background():
    head = Detector(TINY).head
    lesions = torch.tensor([[10.0, 10, 20, 20]])
    proposals = torch.tensor([[50.0, 50, 60, 60], [70, 70, 80, 80], [10, 10, 20, 21]])
    logits = torch.tensor([5.0, -5.0, 5.0])
    for share, background in ((0.0, 2), (1.0, 1)):
        config = dataclasses.replace(TINY.training, ignore_unannotated=share)
        boxes, target, truth = head.choose(proposals, logits, lesions, config, torch.Generator().manual_seed(0))
        assert target.tolist() == [1, 1] + [0] * background
        assert torch.equal(truth[:2], lesions.expand(2, 4))
    assert boxes[2].tolist() == [70, 70, 80, 80]
