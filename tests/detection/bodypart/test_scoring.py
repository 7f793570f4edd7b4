"""A regressor on whole series: what it puts in order, and to what it gives no location."""

import numpy as np
import pytest

from detection.bodypart.model import Model
from detection.bodypart.series import Finding
from tests.detection.bodypart.columns import body


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


@pytest.mark.parametrize("noise", [50, 100, 200, 400, 800])
def test_noise_moves_no_place_far_or_there_is_none(model: Model, noise: int) -> None:
    clean = model.score(body(103), 5.0)
    random = np.random.default_rng(0)
    found = model.score([(number, hu + random.normal(0, noise, hu.shape)) for number, hu in body(103)], 5.0)
    assert found.finding is (Finding.FINE if noise == 50 else Finding.UNFAMILIAR)
    assert np.isnan(found.z).all() or np.nanmax(np.abs(found.z - clean.z)) < 0.03
