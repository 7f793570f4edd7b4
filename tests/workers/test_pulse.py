"""A worker's sign of life: which queues it serves, which GPUs it has, how much room there is."""

import pytest

from workers import devices, pulse
from workers.models import Worker


@pytest.fixture
def unasked(monkeypatch):
    """What a process knows that has just begun."""
    monkeypatch.setattr(devices, "_found", [])


def said():
    beat = pulse.pulse({"gpu", "io"}, 2)
    beat.act()
    worker = Worker.objects.get()
    beat.last()
    assert not Worker.objects.exists()
    return worker


def test_without_a_driver_there_is_no_gpu_and_torch_is_not_asked(db, unasked, monkeypatch):
    monkeypatch.setattr(devices, "DRIVERS", ())
    monkeypatch.setattr(devices, "_ask", lambda tick: pytest.fail("torch takes seconds"))
    worker = said()
    assert (worker.queues, worker.processes, worker.gpus) == (["gpu", "io"], 2, [])
    assert worker.free_bytes > 0
    assert str(devices.here()).startswith("CPU (")


def test_with_a_driver_it_is_said_once_torch_has_answered(db, unasked, monkeypatch):
    monkeypatch.setattr(devices, "DRIVERS", ("/",))
    assert said().gpus is None
    monkeypatch.setattr(devices, "_ask", lambda tick: devices.Devices(["H100", "H100"]))
    assert str(devices.here()) == "2 x H100"
    assert said().gpus == ["H100", "H100"]


def test_torch_is_asked_in_a_program_that_can_be_left(unasked, monkeypatch):
    class Enough(Exception):
        pass

    def leave():
        raise Enough

    monkeypatch.setattr(devices, "DRIVERS", ("/",))
    monkeypatch.setattr(devices, "TICK_S", 0.01)
    with pytest.raises(Enough):
        devices.here(leave)
    assert devices.known() is None
    torch = pytest.importorskip("torch")
    assert len(devices.here().gpus) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


def test_a_folder_that_cannot_be_looked_at_ends_no_pulse(db, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "gone"
    assert said().free_bytes is None
