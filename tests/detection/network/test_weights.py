"""Backbones carry torchvision's names and shapes, and load its files."""

import hashlib

import pytest
import torch

from detection.errors import BadCheckpoint
from detection.network import weights
from detection.network.backbones import KINDS

# Of torchvision 0.28's state dicts, as far as the backbone goes: count, two names with their shapes, and the digest of
# all names and shapes.
TORCHVISION = {
    "vgg16": (26, {"features.0.weight": (64, 3, 3, 3), "features.28.bias": (512,)}, "7ae4d4f565d70dfc"),
    "alexnet": (
        10,
        {"features.0.weight": (64, 3, 11, 11), "features.10.weight": (256, 256, 3, 3)},
        "a1b6a8295070b743",
    ),
    "resnet50": (
        258,
        {"layer2.0.downsample.0.weight": (512, 256, 1, 1), "layer3.5.bn3.running_var": (1024,)},
        "e5c5bc1ce482b26e",
    ),
    "densenet121": (
        528,
        {
            "features.denseblock3.denselayer24.conv2.weight": (32, 128, 3, 3),
            "features.transition1.conv.weight": (128, 256, 1, 1),
        },
        "aaba487d9eede8ed",
    ),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_names_and_shapes_are_torchvisions(name):
    count, some, digest = TORCHVISION[name]
    state = KINDS[name]().state_dict()
    assert len(state) == count
    assert {key: tuple(state[key].shape) for key in some} == some
    text = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("name", TORCHVISION)
def test_every_backbone_has_a_stride_of_eight(name):
    backbone = KINDS[name]().eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 64, 96)).shape == (1, backbone.channels, 8, 12)


def test_a_file_of_weights_is_loaded_and_its_classifier_left(tmp_path):
    torch.manual_seed(1)
    state = {**KINDS["alexnet"]().state_dict(), "classifier.1.weight": torch.zeros(3, 3)}
    torch.save(state, tmp_path / "alexnet.pth")
    backbone = KINDS["alexnet"]()
    weights.from_file(backbone, tmp_path / "alexnet.pth")
    assert all(torch.equal(value, state[key]) for key, value in backbone.state_dict().items())


def test_older_densenet_names_are_understood():
    state = KINDS["densenet121"]().state_dict()
    older = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in state.items()}
    weights.load(KINDS["densenet121"](), older, "old.pth")


def test_weights_of_another_backbone_are_refused_in_one_sentence(tmp_path):
    torch.save(KINDS["alexnet"]().state_dict(), tmp_path / "alexnet.pth")
    with pytest.raises(BadCheckpoint, match=r"^alexnet.pth has another shape for features.0.weight"):
        weights.from_file(KINDS["vgg16"](), tmp_path / "alexnet.pth")
    (tmp_path / "noise.pth").write_bytes(b"noise")
    with pytest.raises(BadCheckpoint, match="cannot be read as a file of weights"):
        weights.from_file(KINDS["vgg16"](), tmp_path / "noise.pth")


def test_a_backbone_without_pretrained_weights_says_so():
    with pytest.raises(weights.NoWeights, match="no pretrained weights for narrow"):
        weights.from_imagenet(KINDS["narrow"](), "narrow")
