"""What a device needs beside the network."""

import os

import pytest
import torch

from detection import inference
from detection.inference import loaders
from detection.network.detector import Detector
from detection.training import loop
from tests.detection.training.running import SMALL, run


@pytest.mark.parametrize(
    ("device", "cores", "devices", "expected"),
    [("cpu", 16, 1, 0), ("cuda", 16, 1, 4), ("cuda", 16, 8, 1), ("cuda", 3, 1, 2), ("cuda", 1, 1, 0)],
)
def test_processes_load_for_a_gpu_on_the_cores_it_leaves(monkeypatch, device, cores, devices, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert loaders(torch.device(device), devices) == expected


@pytest.fixture
def _untuned():
    before = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision("highest")
    yield
    torch.backends.cudnn.benchmark = before[0]
    torch.set_float32_matmul_precision(before[1])
    torch.backends.cudnn.allow_tf32 = before[2]


@pytest.mark.usefixtures("_untuned")
@pytest.mark.parametrize(
    ("device", "exact", "expected"),
    [
        ("cpu", False, (False, "highest", True)),
        ("cuda", True, (True, "highest", False)),
        ("cuda", False, (True, "high", True)),
    ],
)
def test_a_gpu_looks_for_its_fastest_kernels_and_rounds_products_unless_asked_for_float32(device, exact, expected):
    inference.tune(torch.device(device), exact=exact)
    found = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    assert found == expected


def test_detecting_and_training_tune_the_device(discs, tmp_path, monkeypatch):
    tuned = []
    for module in (inference, loop):
        monkeypatch.setattr(module, "tune", lambda device, exact=False: tuned.append((device.type, exact)))
    inference.prepare(Detector(SMALL), torch.device("cpu"), fast=False)
    inference.prepare(Detector(SMALL), torch.device("cpu"), fast=True)
    run(tmp_path, discs, machine=loop.Machine("cpu", seconds=0))
    assert tuned == [("cpu", True), ("cpu", False), ("cpu", True)], "a run of its settings asks for float32"
