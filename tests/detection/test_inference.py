"""What a device needs beside the network."""

import os

import pytest
import torch

from detection.inference import loaders


@pytest.mark.parametrize(
    ("device", "cores", "devices", "expected"),
    [("cpu", 16, 1, 0), ("cuda", 16, 1, 4), ("cuda", 16, 8, 1), ("cuda", 3, 1, 2), ("cuda", 1, 1, 0)],
)
def test_processes_load_for_a_gpu_on_the_cores_it_leaves(monkeypatch, device, cores, devices, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert loaders(torch.device(device), devices) == expected
