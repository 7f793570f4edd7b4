"""Memory that runs out is told in one sentence, whatever ran out of it."""

import pytest
import torch
from lightning_fabric import Fabric

from detection.data.dataset import Batch, Slices
from detection.data.release import open_release
from detection.errors import OutOfMemory
from detection.inference import detect, prepare
from detection.memory import enough_memory
from detection.network.detector import Detector
from detection.presets import TINY, Input
from tests.detection.training.running import run, start

TOO_MUCH = 1 << 50


def test_the_processors_memory_runs_out():
    with pytest.raises(OutOfMemory, match=r"^The computer's memory is too small for it$"), enough_memory("for it"):
        torch.empty(TOO_MUCH)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_a_gpus_memory_runs_out(error):
    with pytest.raises(OutOfMemory, match=r"^The device's memory is too small for it$"), enough_memory("for it"):
        raise error


def test_other_mistakes_stay_what_they_are():
    with pytest.raises(RuntimeError, match="size"), enough_memory("for it"):
        torch.zeros(2) + torch.zeros(3)


def test_detecting_says_so(discs):
    release = open_release(discs)
    data = Slices(release, release.samples("test"), Input(size=64))
    with pytest.raises(OutOfMemory):
        list(detect(lambda hu: torch.empty(TOO_MUCH), data, device=torch.device("cpu")))


def full(*_, **__):
    """A GPU that others have filled."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")


def test_a_network_that_does_not_fit_beside_what_others_run_is_not_evaluated(monkeypatch):
    network = Detector(TINY)
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(OutOfMemory, match="too small for the network; end what else uses it, or choose another"):
        prepare(network, torch.device("cpu"), fast=False)


@pytest.mark.parametrize("method", ["setup", "launch"])
def test_a_network_that_does_not_fit_beside_what_others_run_is_not_trained(
    discs, tmp_path, monkeypatch, capsys, method
):
    monkeypatch.setattr(Fabric, method, full)
    assert start(discs, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 1) == 1
    said = "The device's memory is too small for the network; end what else uses it, or choose another device with"
    assert capsys.readouterr().err.splitlines()[-1] == f"{said} --accelerator."


def test_a_batch_that_does_not_fit_is_said_where_it_is_moved(discs, tmp_path, monkeypatch):
    monkeypatch.setattr(Batch, "to", full)
    with pytest.raises(OutOfMemory, match=r"for this batch; start a new run with a smaller --batch$"):
        run(tmp_path, discs)
