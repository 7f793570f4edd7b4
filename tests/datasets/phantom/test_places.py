"""Organs keep to their places: none lies in bone, and the wall of the trunk keeps its muscle."""

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.phantom import body, bones, build, hips, muscles, shoulders
from datasets.phantom.anatomy import Anatomy
from datasets.phantom.canvas import Canvas
from datasets.phantom.plane import axial

HEIGHTS = (80.0, 105, 130, 155, 230, 262, 290)
PATIENTS = [(3, "M"), (5, "F"), (8, "M")]
BLANK = -5000.0


@pytest.fixture(scope="module", params=PATIENTS, ids=lambda patient: f"{patient[1]}{patient[0]}")
def anatomy(request: pytest.FixtureRequest) -> Anatomy:
    seed, sex = request.param
    return Anatomy(build.make(seed, sex, 55))


def at(anatomy: Anatomy, z: float) -> tuple[Canvas, body.Depths]:
    frame = anatomy.build.frame
    canvas = Canvas(axial(frame.to_patient((0, 0, z)), 3.0, 150, 1.0), frame, anatomy.warp)
    canvas.hu[:] = BLANK
    return canvas, body.measure(canvas, anatomy.build)


def painted(canvas: Canvas) -> NDArray[np.bool_]:
    """Where more than half of a pixel was covered."""
    return np.asarray(canvas.hu > BLANK / 2)


@pytest.mark.parametrize("z", HEIGHTS)
def test_no_organ_lies_in_bone(anatomy: Anatomy, z: float) -> None:
    canvas, depths = at(anatomy, z)
    bones.paint(canvas, anatomy.build, depths)
    hips.paint(canvas, anatomy.build)
    bone = painted(canvas) & ((np.abs(canvas.BX) > 50) | (depths.inside > 0))  # psoas and crura rise from the spine
    canvas, _ = at(anatomy, z)
    anatomy.bowel.paint(canvas, "portal", depths)
    anatomy.abdomen._spleen(canvas, "portal", depths, anatomy.abdomen._below(canvas))
    anatomy.abdomen._kidneys(canvas, "portal", depths)
    assert np.count_nonzero(painted(canvas)) > 100
    assert np.count_nonzero(painted(canvas) & bone) == 0


@pytest.mark.parametrize("z", HEIGHTS)
def test_no_organ_brings_fat_into_the_wall(anatomy: Anatomy, z: float) -> None:
    canvas, depths = at(anatomy, z)
    body.paint(canvas, anatomy.build, "portal", depths, muscles.loosened(canvas, depths))
    muscles.paint(canvas, anatomy.build, "portal", depths)
    wall = (depths.inside > 2) & (depths.inside < depths.muscle) & (canvas.hu > 20)
    assert np.count_nonzero(wall) > 300
    anatomy.abdomen.paint(canvas, "portal", depths)
    anatomy.bowel.paint(canvas, "portal", depths)
    assert np.count_nonzero(canvas.hu[wall] < -20) == 0


@pytest.mark.parametrize("z", [105.0, 130, 155])
def test_bowel_lies_on_the_inner_side_of_the_iliac_wings(anatomy: Anatomy, z: float) -> None:
    canvas, depths = at(anatomy, z)
    anatomy.bowel.paint(canvas, "portal", depths)
    everything = (slice(None), slice(None))
    beside = hips.beside_wing(canvas, everything, anatomy.build)
    assert beside is not None
    assert np.count_nonzero(painted(canvas) & (beside > 6)) == 0


def test_the_femoral_head_sits_in_a_socket(anatomy: Anatomy) -> None:
    """From the middle of the head follow joint and bone again, towards the pelvis, to the front and to the back."""
    wide = 1.06 if anatomy.build.sex == "F" else 1.0
    frame = anatomy.build.frame
    for side in (-1, 1):
        centre = frame.to_patient(anatomy.warp.undo((side * 90 * wide, 3, 6), layers=[0])[0])
        canvas = Canvas(axial(centre, 1.0, 121, 1.0), frame, anatomy.warp)
        canvas.hu[:] = BLANK
        hips.paint(canvas, anatomy.build)
        bone = canvas.hu > 130
        inward = bone[60, 60::-side][:45]
        front, back = bone[60::-1, 60 - 9 * side][:45], bone[60:, 60][:45]
        for ray in (inward, front, back):
            assert ray[5:18].mean() > 0.5
            gap = 18 + int(np.flatnonzero(~ray[18:])[0])
            assert gap < 30
            assert ray[gap : gap + 10].any()
        assert not bone[60, 60::side][31:36].any()


@pytest.mark.parametrize("z", [490.0, 515, 530, 545, 560, 569])
def test_bones_of_the_shoulder_lie_under_the_skin(anatomy: Anatomy, z: float) -> None:
    canvas, depths = at(anatomy, z)
    bones.paint(canvas, anatomy.build, depths)
    shoulders.paint(canvas, anatomy.build)
    assert np.count_nonzero(painted(canvas)) > 20
    assert np.count_nonzero(painted(canvas) & (depths.inside > depths.outer)) == 0


@pytest.mark.parametrize("z", [480.0, 490, 500, 510, 520, 530, 540])
def test_ribs_of_one_slice_form_no_ring(anatomy: Anatomy, z: float) -> None:
    canvas, depths = at(anatomy, z)
    bones.paint(canvas, anatomy.build, depths)
    wall = np.abs(depths.inside - 6) < 2
    assert 0.05 < painted(canvas)[wall].mean() < 0.6


def test_no_chest_wall_closes_the_front_above_the_first_rib(anatomy: Anatomy) -> None:
    canvas, depths = at(anatomy, 545)
    body.paint(canvas, anatomy.build, "portal", depths, muscles.loosened(canvas, depths))
    front = (depths.inside > 3) & (depths.inside < 9) & (canvas.BY < -20)
    assert np.count_nonzero(front) > 50
    assert np.median(canvas.hu[front]) < -60


def test_both_lungs_end_in_a_dome_above_the_collar_bones(anatomy: Anatomy) -> None:
    """The area of each apex shrinks with height, it is round to its end, and air never reaches the wall."""
    areas = []
    for z in (530.0, 545, 555, 575):
        canvas, depths = at(anatomy, z)
        canvas.hu[:] = 0
        anatomy.thorax.lungs(canvas, depths)
        air = canvas.hu < -500
        assert np.count_nonzero(air & (depths.inside > 0)) == 0
        areas.append([9 * np.count_nonzero(air & (canvas.BX * side > 0)) for side in (-1, 1)])
        if z == 555:
            core = np.hypot(np.abs(canvas.BX) - 43, canvas.BY - 27) < 9
            assert air[core].mean() > 0.8
    assert np.all(np.diff(areas, axis=0) < 0)
    assert np.min(areas[2]) > 500
    assert np.max(areas[3]) == 0


def test_the_splenic_artery_winds(anatomy: Anatomy) -> None:
    """No slice holds it as one long rod."""
    longest = 0
    for z in range(288, 330, 3):
        canvas, _ = at(anatomy, z)
        anatomy.abdomen.vessels.arteries.paint(canvas, 300)
        columns = (painted(canvas) & (canvas.BX > 15)).any(axis=0)
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], columns, [0]]))))[::2]
        longest = max(longest, int(3 * runs.max(initial=0)))
    assert 0 < longest < 45
