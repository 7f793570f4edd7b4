"""ImageNet weights for a backbone, from a file or from PyTorch's own server."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor

from detection import torch_file
from detection.errors import BadCheckpoint
from detection.network.backbones import Backbone

URLS = {
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "alexnet": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "resnet50": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    "densenet121": "https://download.pytorch.org/models/densenet121-a639ec97.pth",
}
"""torchvision's standard checkpoints; what stands before the suffix is the beginning of a file's SHA-256."""
COLOURS = 3
"""Channels of ImageNet's pictures."""


PATIENCE_S = 30.0
"""How long a server may be silent; torch's own loader would wait for ever."""


class NoWeights(Exception):
    """There are no pretrained weights to be had, and why."""


def from_file(backbone: Backbone, path: Path) -> None:
    """Load a checkpoint with torchvision's names into a backbone; what it has beyond the backbone is left.

    Raises
    ------
    BadCheckpoint : the file cannot be read, or a weight is missing or has another shape; nothing was loaded.
    """
    try:
        content = torch_file.read(path)
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{path} is not there; name a file of weights, imagenet or random") from error
    except torch_file.NotReadable as error:
        raise BadCheckpoint(f"{path} cannot be read as a file of weights by name") from error
    load(backbone, content, path.name)


def from_imagenet(backbone: Backbone, name: str) -> str:
    """Load the standard ImageNet weights, fetched unless PyTorch has them already; returns their file's name.

    Raises
    ------
    NoWeights : there are none for this backbone, or they cannot be fetched.
    BadCheckpoint : what PyTorch keeps of them is damaged.
    """
    if name not in URLS:
        raise NoWeights(f"there are no pretrained weights for {name}")
    channels = next(iter(backbone.state_dict().values())).shape[1]
    if channels != COLOURS:
        raise NoWeights(f"there are no pretrained weights for {name} on images of {channels} channels")
    url = URLS[name]
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sys.stderr.write(f"Fetching {url}\n")
            with _patience():
                torch.hub.download_url_to_file(
                    url, str(path), hash_prefix=path.stem.rpartition("-")[2], progress=False
                )
        except (URLError, HTTPException, OSError, RuntimeError) as error:
            reason = getattr(error, "reason", error)
            raise NoWeights(f"{url} could not be fetched ({reason})") from error
    try:
        load(backbone, torch_file.read(path), path.name)
    except (torch_file.NotReadable, OSError, BadCheckpoint) as error:
        raise BadCheckpoint(
            f"{path} is not the file of weights it should be; remove it to have it fetched again, or go without by "
            "--weights random"
        ) from error
    return path.name


@contextmanager
def _patience() -> Iterator[None]:
    """Give up a connection that is silent for long: torch's loader takes no limit of its own."""
    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(usual)


def load(backbone: Backbone, content: dict[str, Any], name: str) -> None:
    """Copy weights by name; see `from_file`."""
    content = {_renamed(key): value for key, value in content.items()}
    wanted = backbone.state_dict()
    for key, value in wanted.items():
        if key not in content:
            raise BadCheckpoint(f"{name} lacks {key}: it belongs to another backbone")
        if not isinstance(content[key], Tensor) or content[key].shape != value.shape:
            if key == next(iter(wanted)) and _is_of_other_channels(content[key], value):
                raise BadCheckpoint(
                    f"{name} is for images of {content[key].shape[1]} channels, the preset's have {value.shape[1]}; "
                    "use another preset, or --weights random"
                )
            raise BadCheckpoint(f"{name} has another shape for {key}: it belongs to another backbone")
    backbone.load_state_dict({key: content[key] for key in wanted})


def _is_of_other_channels(there: Any, wanted: Tensor) -> bool:
    """Whether the first convolution's weight would do but for the number of channels of the input."""
    shape = there.shape if isinstance(there, Tensor) else torch.Size()
    return len(shape) == 4 and shape[:1] + shape[2:] == wanted.shape[:1] + wanted.shape[2:]


def _renamed(key: str) -> str:
    """Older DenseNet files write norm.1 for norm1."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)
