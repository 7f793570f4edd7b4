"""Backbones carry torchvision's names and shapes, and load its files."""

import hashlib
import socket
from pathlib import Path

import pytest
import torch

from detection.errors import BadCheckpoint
from detection.network import weights
from detection.network.backbones import KINDS
from tests.detection.training.running import start

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


def test_weights_for_an_input_of_other_channels_are_refused_for_that(tmp_path):
    torch.save(KINDS["alexnet"]().state_dict(), tmp_path / "alexnet.pth")
    said = r"^alexnet.pth is for images of 3 channels, the preset's have 6; use another preset, or --weights random$"
    with pytest.raises(BadCheckpoint, match=said):
        weights.from_file(KINDS["alexnet"](6), tmp_path / "alexnet.pth")
    with pytest.raises(weights.NoWeights, match="no pretrained weights for alexnet on images of 6 channels"):
        weights.from_imagenet(KINDS["alexnet"](6), "alexnet")


def test_a_backbone_without_pretrained_weights_says_so():
    with pytest.raises(weights.NoWeights, match="no pretrained weights for narrow"):
        weights.from_imagenet(KINDS["narrow"](), "narrow")


def keep(name: str, content: bytes) -> Path:
    """Put a file where PyTorch keeps what it fetched."""
    path = Path(torch.hub.get_dir(), "checkpoints", name)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def _own_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.mark.usefixtures("_own_files")
@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>Sign in first</html>", bytes(1000), b""])
def test_a_damaged_file_that_pytorch_keeps_is_named_and_not_trained_without(content, discs, tmp_path, capsys):
    path = keep("vgg16-397923af.pth", content)
    assert start(discs, "--out", tmp_path / "run") == 1
    said = f"{path} is not the file of weights it should be; remove it to have it fetched again, or go without by"
    assert capsys.readouterr().err.splitlines()[-1] == f"{said} --weights random."
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("_own_files")
def test_what_is_fetched_must_be_the_file_that_its_name_says(tmp_path, monkeypatch):
    state = KINDS["alexnet"]().state_dict()
    torch.save(state, tmp_path / "file.pth")
    whole = (tmp_path / "file.pth").read_bytes()
    name = f"alexnet-owt-{hashlib.sha256(whole).hexdigest()[:8]}.pth"
    monkeypatch.setitem(weights.URLS, "alexnet", (tmp_path / name).as_uri())
    backbone = KINDS["alexnet"]()
    (tmp_path / name).write_bytes(whole[:-1])
    with pytest.raises(weights.NoWeights, match=r"could not be fetched \(invalid hash value"):
        weights.from_imagenet(backbone, "alexnet")
    (tmp_path / name).write_bytes(whole)
    assert weights.from_imagenet(backbone, "alexnet") == name
    (tmp_path / name).unlink()
    assert weights.from_imagenet(backbone, "alexnet") == name, "it was kept"
    assert all(torch.equal(value, state[key]) for key, value in backbone.state_dict().items())


@pytest.mark.usefixtures("_own_files")
def test_a_server_that_is_silent_is_given_up_and_what_is_fetched_is_said(monkeypatch, capsys):
    monkeypatch.setattr(weights, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/alexnet-owt-7be5be79.pth"
        monkeypatch.setitem(weights.URLS, "alexnet", url)
        with pytest.raises(weights.NoWeights, match=r"could not be fetched \(.*timed out\)"):
            weights.from_imagenet(KINDS["alexnet"](), "alexnet")
    assert capsys.readouterr().err == f"Fetching {url}\n"
    assert socket.getdefaulttimeout() is None
