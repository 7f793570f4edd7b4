"""A balanced draw of boxes to learn from."""

from collections.abc import Iterable

import torch
from torch import Tensor

from detection.network.matcher import BACKGROUND, LESION


def sample(labels: Tensor, count: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw at most `count` boxes, at most `share` of them lesions, the rest background.

    Parameters
    ----------
    labels : (N,) LESION, BACKGROUND, or anything else for neither.
    generator : on the CPU, whatever the labels' device, so that a seed means the same draw everywhere.

    Returns
    -------
    Indices of lesions and of background, on the labels' device.
    """
    lesions = (labels == LESION).nonzero().squeeze(1)
    background = (labels == BACKGROUND).nonzero().squeeze(1)
    wanted = min(round(count * share), len(lesions))
    return _draw(lesions, wanted, generator), _draw(background, count - wanted, generator)


def _draw(index: Tensor, count: int, generator: torch.Generator) -> Tensor:
    if len(index) <= count:
        return index
    return index[torch.randperm(len(index), generator=generator)[:count].to(index.device)]


def generators(seed: int, step: int, places: Iterable[int]) -> list[torch.Generator]:
    """Give each image of a step its own draw, by its place in the batch of all processes together."""
    return [torch.Generator().manual_seed((seed * 1_000_003 + step) * 4096 + place) for place in places]
