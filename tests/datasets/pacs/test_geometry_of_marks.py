"""One mark, drawn in the patient, lands on the same canonical pixels however its slices were acquired and stored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pydicom.dataset import Dataset

from datasets.geometry.volume import ImagePlane
from datasets.pacs import readers
from datasets.pacs.placing import StudyImages
from datasets.pacs.resolve import Flag, Measurement, resolve
from tests.datasets.pacs.dicom_files import COLUMNS, ROWS, bidimensional, ct, facts, report

CENTRED = np.array([[-9, -2], [8, 3], [1, -6], [-2, 7]], dtype=float)
"""A mark around the image's centre, canonical pixels."""

CENTRE = np.array([(COLUMNS - 1) / 2, (ROWS - 1) / 2])

signs = st.sampled_from([-1, 1])


def plane_of(slice_: Dataset) -> ImagePlane:
    return ImagePlane.from_dicom(
        slice_.ImagePositionPatient, slice_.ImageOrientationPatient, slice_.PixelSpacing, slice_.Rows, slice_.Columns
    )


def stored_series(
    *, flip_x: int, flip_y: int, tilt: float, roll: float, spacing: tuple[float, float], along_z: bool
) -> list[Dataset]:
    """Slices 4 mm apart along z (a tilted gantry) or along their normal, centred on the z axis."""
    x = flip_x * np.array([np.cos(roll), np.sin(roll), 0])
    y = flip_y * np.array([-np.sin(roll) * np.cos(tilt), np.cos(roll) * np.cos(tilt), np.sin(tilt)])
    normal = np.cross(x, y)
    step = np.array([0, 0, 4.0]) if along_z else 4.0 * normal * np.sign(normal[2])
    corner = -x * spacing[1] * (COLUMNS - 1) / 2 - y * spacing[0] * (ROWS - 1) / 2
    return [
        ct(
            z=number,
            ImagePositionPatient=list(corner + number * step),
            ImageOrientationPatient=[*x, *y],
            PixelSpacing=list(spacing),
        )
        for number in range(5)
    ]


@settings(max_examples=60, deadline=None)
@given(
    flip_x=signs,
    flip_y=signs,
    tilt=st.floats(-0.4, 0.4),
    roll=st.floats(-0.2, 0.2),
    spacing=st.tuples(st.floats(0.4, 1.5), st.floats(0.4, 1.5)),
    along_z=st.booleans(),
    in_mm=st.booleans(),
    index=st.integers(0, 4),
)
def test_a_mark_keeps_its_place(
    flip_x: int,
    flip_y: int,
    tilt: float,
    roll: float,
    spacing: tuple[float, float],
    along_z: bool,
    in_mm: bool,
    index: int,
) -> None:
    slices = stored_series(flip_x=flip_x, flip_y=flip_y, tilt=tilt, roll=roll, spacing=spacing, along_z=along_z)
    # The canonical picture is the stored one, mirrored about its centre where it is stored mirrored.
    stored = CENTRED * [flip_x, flip_y] + CENTRE
    expected = CENTRED + CENTRE
    lengths = np.linalg.norm((CENTRED[1::2] - CENTRED[::2]) * [spacing[1], spacing[0]], axis=1)
    target = slices[index]
    drawn = plane_of(target).to_patient(stored) if in_mm else stored + 0.5
    group = bidimensional(
        "" if in_mm else str(target.SOPInstanceUID),
        long=list(drawn[:2].ravel()),
        short=list(drawn[2:].ravel()),
        long_mm=lengths[0],
        short_mm=lengths[1],
    )
    (bookmark,) = readers.read(report(group))
    found = resolve(bookmark, StudyImages(facts(*slices)))
    assert isinstance(found, Measurement), found
    assert found.instance.SOPInstanceUID == target.SOPInstanceUID
    assert found.slice_index == 4 - index
    order = [0, 1, 2, 3] if lengths[0] >= lengths[1] else [2, 3, 0, 1]
    assert_allclose(found.points, expected[order], atol=2e-4)
    assert_allclose(found.diameters_mm, lengths[[order[0] // 2, order[2] // 2]], rtol=1e-4)
    assert Flag.LENGTH_DISAGREES not in found.flags


@pytest.mark.parametrize("away", [1.9, -1.9])
def test_a_mark_between_tilted_slices_goes_to_the_nearer_one(away: float) -> None:
    slices = stored_series(flip_x=1, flip_y=1, tilt=0.35, roll=0, spacing=(0.8, 0.8), along_z=True)
    plane = plane_of(slices[2])
    centred = CENTRED + CENTRE
    # The slices are 4 mm apart along z, and 4 cos(tilt) along their normal.
    drawn = plane.to_patient(centred) + plane.normal * away * np.cos(0.35)
    group = bidimensional("", long=list(drawn[:2].ravel()), short=list(drawn[2:].ravel()))
    (bookmark,) = readers.read(report(group))
    found = resolve(bookmark, StudyImages(facts(*slices)))
    assert isinstance(found, Measurement)
    assert found.instance.SOPInstanceUID == slices[2].SOPInstanceUID
