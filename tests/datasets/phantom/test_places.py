"""Organs keep to their places: none lies in bone, and the wall of the trunk keeps its muscle."""

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.phantom import body, bones, build, hips, muscles
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
