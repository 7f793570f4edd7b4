"""Memory that runs out is told in one sentence, whatever ran out of it."""

import pytest
import torch

from detection.data.dataset import Slices
from detection.data.release import open_release
from detection.errors import OutOfMemory
from detection.inference import detect
from detection.memory import enough_memory
from detection.presets import Input

TOO_MUCH = 1 << 50


def test_the_processors_memory_runs_out():
    with pytest.raises(OutOfMemory, match=r"^The computer's memory is too small for this batch; "), enough_memory():
        torch.empty(TOO_MUCH)


def test_a_gpus_memory_runs_out():
    with pytest.raises(OutOfMemory, match=r"too small for this batch; try a smaller --batch$"), enough_memory():
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_other_mistakes_stay_what_they_are():
    with pytest.raises(RuntimeError, match="size"), enough_memory():
        torch.zeros(2) + torch.zeros(3)


def test_detecting_says_so(discs):
    release = open_release(discs)
    data = Slices(release, release.samples("test"), Input(size=64))
    with pytest.raises(OutOfMemory):
        list(detect(lambda hu: torch.empty(TOO_MUCH), data, device=torch.device("cpu")))
