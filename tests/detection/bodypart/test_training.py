"""Training on made-up bodies: what it learns, repeats, resumes, refuses and writes."""

import dataclasses
import json
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from detection.bodypart.errors import NoSuchDevice, NotAModel, OtherVersion, RunExists, TooFewSeries
from detection.bodypart.model import Model, load_model, save_model
from detection.bodypart.record import learning_curve, read
from detection.bodypart.series import Finding
from detection.bodypart.settings import PRESETS
from detection.bodypart.slices import volumes
from detection.bodypart.train import main
from detection.bodypart.training import train
from detection.data.slices import read_hu
from tests.detection.bodypart.columns import slice_at, write_release

learn = partial(train, device="cpu")
"""To the last bit the same each time, which a GPU does not promise."""
TINY = dataclasses.replace(PRESETS["small"], size=32, channels=(8, 16, 32), volumes=8, steps=120)
SERIES = {
    f"{patient:06d}_01_01": [*range(patient % 7, 18 + patient % 7), *range(24, 41 - patient % 5)]
    for patient in range(1, 15)
}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("columns")
    write_release(folder, SERIES)
    return folder


@pytest.fixture(scope="module")
def run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run")
    learn(release, out, preset=TINY, threads=1)
    return out


@pytest.fixture
def model(run: Path) -> Model:
    return load_model(run / "model.pt")


def body(seed: int, numbers=range(41)) -> list[tuple[int, np.ndarray]]:
    return [(number, slice_at(number / 40, seed)) for number in numbers]


def test_unseen_bodies_are_put_in_order(model: Model) -> None:
    for seed in range(100, 104):
        found = model.score(body(seed), 5.0)
        assert found.finding is Finding.FINE
        assert np.corrcoef(found.raw, np.arange(41))[0, 1] > 0.97
        assert found.version == model.version


def test_a_reversed_and_a_shuffled_series_are_found(model: Model) -> None:
    slices = body(100)
    turned = [(number, hu) for (number, _), (_, hu) in zip(slices, slices[::-1], strict=True)]
    assert model.score(turned, 5.0).finding is Finding.REVERSED
    order = np.random.default_rng(0).permutation(41)
    mixed = [(number, slices[at][1]) for (number, _), at in zip(slices, order, strict=True)]
    assert model.score(mixed, 5.0).finding is Finding.SHUFFLED


def test_short_empty_and_foreign_series_get_no_location(model: Model) -> None:
    air = [(number, np.full((64, 64), -1000)) for number in range(20)]
    random = np.random.default_rng(0)
    static = [(number, random.choice([-1000, 1000], (64, 64))) for number in range(20)]
    for slices, finding in (
        (body(100)[:3], Finding.TOO_FEW),
        (body(100)[:1], Finding.TOO_FEW),
        ([], Finding.EMPTY),
        (air, Finding.EMPTY),
        (static, Finding.UNFAMILIAR),
    ):
        found = model.score(slices, 5.0)
        assert found.finding is finding
        assert np.isnan(found.z).all()


def head(seed: int, size: int = 64) -> np.ndarray:
    """A skull around a brain, and nothing else in the field of view."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    r = np.hypot(x / 0.55, y / 0.7)
    hu = np.where(r < 1, 900.0, -1000.0)
    hu[r < 0.88] = 35
    return hu + random.normal(0, 12, hu.shape)


def legs(seed: int, size: int = 64) -> np.ndarray:
    """Two thighs with their bones."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    hu = np.full((size, size), -1000.0)
    for side in (-0.42, 0.42):
        r = np.hypot(x - side, y)
        hu[r < 0.36] = -90
        hu[r < 0.3] = 55
        hu[r < 0.08] = 1100
    return hu + random.normal(0, 12, hu.shape)


@pytest.mark.parametrize("draw", [head, legs])
def test_a_scan_of_a_part_that_was_never_seen_gets_no_location(model: Model, draw) -> None:
    found = model.score([(number, draw(number)) for number in range(30)], 5.0)
    assert found.finding not in (Finding.FINE, Finding.REVERSED)
    assert np.isnan(found.z).all()
    assert "no location is given" in found.sentence


def test_metal_in_a_few_slices_moves_no_location_far(model: Model) -> None:
    clean = model.score(body(101), 5.0)
    struck = body(101)
    for number in range(18, 21):
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        streaks = np.cos(9 * np.arctan2(y - 0.1, x - 0.3)) / (0.15 + np.hypot(x - 0.3, y - 0.1))
        struck[number] = (number, struck[number][1] + 700 * streaks)
    found = model.score(struck, 5.0)
    assert found.finding is Finding.FINE
    off = np.abs(found.z - clean.z)
    assert np.nanmax(off) < 0.02
    assert np.isfinite(found.z[np.isfinite(clean.z)]).all()


@pytest.mark.parametrize("strength", [300, 1500, 4000])
def test_metal_in_all_slices_gets_no_location(model: Model, strength: int) -> None:
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    streaks = strength * np.cos(9 * np.arctan2(y - 0.1, x - 0.3)) / (0.15 + np.hypot(x - 0.3, y - 0.1))
    found = model.score([(number, hu + streaks) for number, hu in body(101)], 5.0)
    assert found.finding is Finding.UNFAMILIAR
    assert np.isnan(found.z).all()


@pytest.mark.parametrize(("draw", "above"), [(head, True), (legs, False)])
def test_a_part_that_was_never_seen_beside_a_body_moves_no_location(model: Model, draw, above: bool) -> None:
    clean = model.score(body(101), 5.0)
    strange, first = [draw(number) for number in range(30)], 30 if above else 0
    slices = [hu for _, hu in body(101)]
    found = model.score(list(enumerate([*strange, *slices] if above else [*slices, *strange])), 5.0)
    assert found.finding is Finding.FINE
    placed = found.z[first : first + 41]
    np.testing.assert_allclose(placed, clean.z, atol=0.01)
    outer = found.z[:30] if above else found.z[41:]
    # What lies within reach of the known part is placed by the line, the rest is left open.
    assert 0 < np.isnan(outer).sum() < 30
    assert np.nanmin(outer) > clean.z.min() - 0.1
    assert np.nanmax(outer) < clean.z.max() + 0.1


def test_every_other_slice_empty_moves_no_location(model: Model) -> None:
    clean = model.score(body(102), 5.0)
    holes = [(number, np.full((64, 64), -1000.0) if number % 2 else hu) for number, hu in body(102)]
    found = model.score(holes, 5.0)
    assert found.finding is Finding.FINE
    assert np.isnan(found.z[1::2]).all()
    np.testing.assert_allclose(found.z[::2], clean.z[::2], atol=0.01)


def test_one_slice_many_times_gets_no_location(model: Model) -> None:
    found = model.score([(number, body(102)[10][1]) for number in range(30)], 5.0)
    assert found.finding is Finding.UNCLEAR
    assert np.isnan(found.z).all()


def test_an_empty_slice_in_a_series_stays_unknown(model: Model) -> None:
    slices = body(102)
    slices[20] = (20, np.full((64, 64), -1000.0))
    found = model.score(slices, 5.0)
    assert found.finding is Finding.FINE
    assert found.at(20) is None
    assert found.single_at(20) is None
    assert found.at(21) is not None


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


def test_a_model_comes_back_as_it_was_saved(model: Model, run: Path, tmp_path: Path) -> None:
    save_model(model, tmp_path / "copy.pt")
    copy = load_model(tmp_path / "copy.pt")
    assert copy.version == model.version
    assert copy.anchor.method == "median"
    np.testing.assert_array_equal(copy.score(body(100), 5.0).z, model.score(body(100), 5.0).z)
    assert not list(tmp_path.glob(".*"))


def test_other_files_are_named(run: Path, tmp_path: Path) -> None:
    stored = torch.load(run / "model.pt", weights_only=True)
    path = tmp_path / "model.pt"
    torch.save({**stored, "format": 99}, path)
    with pytest.raises(OtherVersion, match="format 99"):
        load_model(path)
    stored["weights"]["head.bias"] += 1
    torch.save(stored, path)
    with pytest.raises(NotAModel, match="not that of"):
        load_model(path)
    path.write_bytes((run / "model.pt").read_bytes()[:5000])
    with pytest.raises(NotAModel):
        load_model(path)
    torch.save([1, 2], path)
    with pytest.raises(NotAModel):
        load_model(path)
    with pytest.raises(NotAModel):
        load_model(tmp_path / "nothing.pt")


def test_the_record_of_a_run_is_read_without_the_model(run: Path, tmp_path: Path) -> None:
    curve = learning_curve(run)
    assert curve["step"][-1] == TINY.steps
    assert curve["order_loss"][-1] < curve["order_loss"][0]
    with pytest.raises(NotAModel, match="holds no run"):
        learning_curve(tmp_path)
    with pytest.raises(NotAModel, match="no finished run"):
        read(tmp_path)


def test_series_are_read_from_disk_as_they_are_scored(release: Path, model: Model) -> None:
    volume = volumes(release)[0]
    found = model.score([(number, read_hu(volume.path(number))) for number in volume.numbers], volume.interval)
    assert found.numbers.tolist() == list(volume.numbers)
    assert found.at(volume.numbers[3]) is not None


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
