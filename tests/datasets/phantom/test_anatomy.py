"""What the organs look like in HU, without noise."""

import numpy as np
import pytest

from datasets.phantom import build, quantum, render
from datasets.phantom.anatomy import Anatomy
from datasets.phantom.canvas import Canvas
from datasets.phantom.fields import Field
from datasets.phantom.plane import Plane, axial
from datasets.phantom.seeds import rng

BODIES = [(seed, sex) for seed in (3, 11) for sex in ("F", "M")]

PLACES = {
    "aorta": ((22, 50, 425), {"none": (25, 60), "arterial": (250, 380), "portal": (120, 190)}),
    "liver": ((-75, 10, 330), {"none": (15, 75), "arterial": (25, 100), "portal": (60, 130)}),
    "spleen": ((98, 34, 325), {"none": (35, 60), "portal": (95, 145)}),
    "heart": ((20, -26, 408), {"none": (25, 60), "portal": (80, 170)}),
    "psoas": ((40, 56, 205), {"none": (35, 75), "portal": (40, 85)}),
    "bladder": ((0, -24, 33), {"none": (-15, 25), "portal": (-15, 25), "delayed": (40, 400)}),
    "trachea": ((0, 18, 510), {"none": (-1010, -930), "portal": (-1010, -930)}),
    "lung": ((-85, 0, 450), {"none": (-960, -740), "portal": (-960, -740)}),
    "vertebra": ((0, 46, 167), {"none": (60, 320), "portal": (60, 320)}),
    "femoral head": ((90, 3, 6), {"none": (80, 500)}),
}


@pytest.fixture(scope="module", params=BODIES, ids=lambda body: f"{body[1]}{body[0]}")
def anatomy(request: pytest.FixtureRequest) -> Anatomy:
    seed, sex = request.param
    return Anatomy(build.make(seed, sex, 50))


@pytest.mark.parametrize("organ", PLACES)
def test_organ_has_hu_of_the_literature(anatomy: Anatomy, organ: str) -> None:
    place, expected = PLACES[organ]
    if organ == "heart":
        place = anatomy.thorax.heart.centre
    if organ == "spleen":
        place = anatomy.abdomen.spleen.centre
    centre = anatomy.build.frame.to_patient(anatomy.warp.undo(place)[0])
    for phase, (low, high) in expected.items():
        canvas = Canvas(axial(centre, 0.8, 9, 1.0), anatomy.build.frame, anatomy.warp)
        anatomy.paint(canvas, phase)
        assert low <= np.median(canvas.hu) <= high, phase


def test_fat_lies_under_the_skin_and_air_outside(anatomy: Anatomy) -> None:
    frame = anatomy.build.frame
    canvas = Canvas(axial(frame.to_patient((0, 0, 200)), 1.5, 320, 5.0), frame, anatomy.warp)
    depths = anatomy.paint(canvas, "portal")
    under = (depths.inside > depths.muscle + 3) & (depths.inside < depths.outer - 4)
    assert -125 < np.median(canvas.hu[under]) < -85
    assert np.median(canvas.hu[depths.inside > depths.outer + 5]) == -1000


def test_habitus_changes_the_girth() -> None:
    widths = []
    for seed in range(6):
        body = build.make(seed, "M", 50)
        anatomy = Anatomy(body)
        canvas = Canvas(axial(body.frame.to_patient((0, 0, 200)), 2.0, 256, 5.0), body.frame, anatomy.warp)
        anatomy.paint(canvas, "portal")
        widths.append(2.0 * np.count_nonzero((canvas.hu > -300).any(axis=0)))
    assert max(widths) - min(widths) > 25
    assert min(widths) > 260
    assert max(widths) < 520


def test_noise_is_stronger_in_thin_slices_and_behind_more_body() -> None:
    air = np.full((128, 128), -1000, dtype=np.float32)
    water = air.copy()
    water[20:108, 10:118] = 0

    def deviation(hu: np.ndarray, thickness: float) -> float:
        noisy = hu.copy()
        quantum.add(noisy, 3.0, thickness, quantum.KERNELS["B31f"], 1.0, rng(1))
        return float((noisy - hu)[40:88, 40:88].std())

    assert deviation(water, 1.0) > 1.8 * deviation(water, 5.0)
    assert deviation(water, 5.0) > 1.5 * deviation(air, 5.0)


def test_noise_is_correlated_between_neighbours_for_a_soft_kernel() -> None:
    noise = np.zeros((256, 256), dtype=np.float32)
    quantum.add(noise, 0.8, 5.0, quantum.KERNELS["B31f"], 1.0, rng(2))
    assert np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1] > 0.3


def test_field_is_the_same_on_every_kind_of_plane() -> None:
    field = Field(rng(4))
    x = np.linspace(-50, 50, 11, dtype=np.float32)[None]
    y = np.linspace(-30, 30, 7, dtype=np.float32)[:, None]
    z = np.full((1, 1), 12.5, dtype=np.float32)
    level = field.sample(x, y, z, 20.0)
    rows = field.sample(x, y, np.broadcast_to(z, (7, 1)), 20.0)
    points = field.sample(*np.broadcast_arrays(x, y, z), 20.0)
    assert np.allclose(level, rows, atol=1e-4)
    assert np.allclose(level, points, atol=1e-4)


def test_coronal_plane_meets_axial_plane_in_the_same_tissue() -> None:
    body = build.make(3, "M", 50)
    anatomy = Anatomy(body)
    centre = body.frame.to_patient((0.0, 0.0, 330.0))
    across = axial(centre, 2.0, 160, 1.0)
    x, y, z = centre
    down = Plane((x - 159.0, y, z + 159.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), 2.0, 160, 160, 1.0)
    lines = []
    for plane in (across, down):
        canvas = Canvas(plane, body.frame, anatomy.warp)
        anatomy.paint(canvas, "portal")
        lines.append((canvas.hu[79] + canvas.hu[80]) / 2)
    assert np.median(np.abs(lines[0] - lines[1])) < 40


def test_rendered_values_fit_twelve_bits(anatomy: Anatomy) -> None:
    plane = axial(anatomy.build.frame.to_patient((0, 0, 120)), 3.0, 128, 5.0)
    hu = render.slice_hu(
        anatomy, plane, phase="portal", kernel=quantum.KERNELS["LUNG"], lesions=(), dose=0.5, random=rng(1)
    )
    assert hu.dtype == np.int16
    assert hu.min() >= -1024
    assert hu.max() <= 3071
