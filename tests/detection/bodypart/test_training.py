"""Training on made-up bodies: what it repeats, resumes, refuses and writes."""

import dataclasses
import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from detection.bodypart.errors import NoSuchDevice, NotAModel, RunExists, TooFewSeries
from detection.bodypart.model import load_model
from detection.bodypart.record import learning_curve, read
from detection.bodypart.train import main
from detection.bodypart.training import train
from tests.detection.bodypart.columns import write_release
from tests.detection.bodypart.learning import SERIES, TINY, learn


def test_the_same_seed_gives_the_same_model_and_another_another(release: Path, tmp_path: Path) -> None:
    short = dataclasses.replace(TINY, steps=30)
    first, second, third = (
        learn(release, tmp_path / name, preset=short, seed=seed, threads=1)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.version == second.version != third.version


def test_a_broken_off_run_ends_as_it_would_have(release: Path, tmp_path: Path) -> None:
    short = dataclasses.replace(TINY, steps=80)
    whole = learn(release, tmp_path / "whole", preset=short, threads=1)

    class PulledPlug(Exception):
        pass

    def pull(done: int, *_: object) -> None:
        if done == 70:
            raise PulledPlug

    with pytest.raises(PulledPlug):
        learn(release, tmp_path / "broken", preset=short, threads=1, progress=pull)
    assert not (tmp_path / "broken/model.pt").exists()
    told: list[tuple[int, int, str, str]] = []
    resumed = learn(release, tmp_path / "broken", preset=short, threads=1, progress=lambda *each: told.append(each))
    assert told[0][2] == "slices read", "reading makes no step slower than the rest"
    assert [done for done, _, unit, _ in told if unit == "steps"] == [60, 70, 80]
    scored = [(done, total) for done, total, unit, _ in told if unit == "series scored"]
    assert scored == [(done, len(SERIES)) for done in range(1, len(SERIES) + 1)], "it could be ended while it scores"
    assert resumed.version == whole.version
    before = (tmp_path / "broken/model.pt").stat().st_mtime_ns
    assert learn(release, tmp_path / "broken", preset=short, threads=1).version == whole.version
    assert (tmp_path / "broken/model.pt").stat().st_mtime_ns == before, "what was finished is not finished again"


def test_a_folder_of_another_run_is_refused(release: Path, run: Path) -> None:
    with pytest.raises(RunExists):
        learn(release, run, preset=TINY, seed=7, threads=1)


def test_a_folder_of_a_run_on_another_release_of_the_same_series_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, interval in ((first, 5.0), (second, 2.5)):
        write_release(folder, SERIES, interval=interval)
    short = dataclasses.replace(TINY, steps=10)
    learn(first, tmp_path / "run", preset=short, threads=1)
    with pytest.raises(RunExists, match="another release; choose another folder"):
        learn(second, tmp_path / "run", preset=short, threads=1)


@pytest.mark.parametrize("content", [b"garbage", {"x": 1}, {"identity": "", "step": "?"}])
def test_a_checkpoint_that_is_none_is_named(release: Path, tmp_path: Path, content: object) -> None:
    if isinstance(content, bytes):
        (tmp_path / "checkpoint.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(RunExists, match="choose another folder"):
        learn(release, tmp_path, preset=TINY, threads=1)
    assert not (tmp_path / "model.pt").exists()


def test_a_release_is_known_by_its_manifest(tmp_path: Path) -> None:
    write_release(tmp_path, SERIES, sources=["bpr-small-1"])
    model = learn(tmp_path, tmp_path / "run", preset=dataclasses.replace(TINY, steps=10), threads=1)
    assert model.record["release"] == "columns-1.0"
    assert model.record["release_sha256"] == sha256((tmp_path / "manifest.json").read_bytes()).hexdigest()
    assert model.anchor.method == "median", "hung on an older regressor's places"


def test_a_gpu_is_used_where_there_is_one(release: Path, tmp_path: Path, monkeypatch) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(NoSuchDevice, match="no CUDA device"):
            train(release, tmp_path, preset=TINY, device="cuda", threads=1)
        # Where none is, the driver is what refuses: it was asked.
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
            train(release, tmp_path, preset=TINY, threads=1)
        return
    model = train(release, tmp_path, preset=TINY, threads=1)
    assert model.record["device"] == torch.cuda.get_device_name()
    assert load_model(tmp_path / "model.pt").version == model.version


def test_too_few_series_are_refused(tmp_path: Path) -> None:
    write_release(tmp_path, {name: SERIES[name] for name in list(SERIES)[:5]})
    with pytest.raises(TooFewSeries, match="5 series"):
        learn(tmp_path, tmp_path / "run", preset=TINY, threads=1)


def test_a_release_that_says_no_slice_interval_is_refused_before_anything_is_learned(tmp_path: Path) -> None:
    write_release(tmp_path, SERIES, interval=float("nan"))
    with pytest.raises(TooFewSeries, match=r"^none of the release's series says its slice interval"):
        learn(tmp_path, tmp_path / "run", preset=TINY, threads=1)
    assert not (tmp_path / "run").exists()


def test_test_patients_take_no_part(tmp_path: Path) -> None:
    write_release(tmp_path, SERIES, split=3)
    with pytest.raises(TooFewSeries, match="0 series"):
        learn(tmp_path, tmp_path / "run", preset=TINY, threads=1)


def test_the_record_of_a_run_is_read_without_the_model(run: Path, tmp_path: Path) -> None:
    curve = learning_curve(run)
    assert curve["step"][-1] == TINY.steps
    assert curve["order_loss"][-1] < curve["order_loss"][0]
    with pytest.raises(NotAModel, match="holds no run"):
        learning_curve(tmp_path)
    with pytest.raises(NotAModel, match="no finished run"):
        read(tmp_path)


def test_the_command_trains_and_names_mistakes(release: Path, tmp_path: Path, capsys) -> None:
    assert main([str(release), "--out", str(tmp_path / "run"), "--steps", "20", "--threads", "1"]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert facts["steps"] == 20
    assert facts["version"] == load_model(tmp_path / "run/model.pt").version
    assert facts == read(tmp_path / "run")
    assert "steps 20/20, order loss " in said.err
    last = {"done": len(SERIES), "total": len(SERIES), "unit": "series scored"}
    assert json.loads((tmp_path / "run/progress.json").read_text()) == last
    assert main([str(tmp_path), "--out", str(tmp_path / "other")]) == 1
    assert "should hold DL_info.csv and Images_png" in capsys.readouterr().err
