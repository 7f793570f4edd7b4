"""Bookmarks on slices: the right slice, the right pixels, or the right reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydicom.dataset import Dataset

from datasets.geometry.volume import ImagePlane
from datasets.pacs import readers
from datasets.pacs.placing import Rejected, StudyImages
from datasets.pacs.readers import Reason
from datasets.pacs.resolve import Flag, Measurement, resolve
from tests.datasets.pacs import dicom_files as dicom
from tests.datasets.pacs.dicom_files import bidimensional, ct, ct_series, facts, report

UID = "1.2.3.1.1.1050"
"""The second slice of `ct_series`, at z = 5."""

POINTS = np.array([[10, 20], [30, 20], [20, 12], [20, 28]], dtype=float)


def outcome(group: Dataset, slices: list[Dataset]) -> Measurement | Rejected:
    (bookmark,) = readers.read(report(group))
    return resolve(bookmark, StudyImages(facts(*slices)))


def measured(group: Dataset, slices: list[Dataset]) -> Measurement:
    found = outcome(group, slices)
    assert isinstance(found, Measurement), found
    return found


def reason(group: Dataset, slices: list[Dataset]) -> Reason:
    found = outcome(group, slices)
    assert isinstance(found, Rejected), found
    assert found.detail
    return found.reason


def scoord(points: np.ndarray) -> dict[str, list[float]]:
    """The axes as a viewer writes them on the stored image."""
    shifted = points + 0.5
    return {"long": list(shifted[:2].ravel()), "short": list(shifted[2:].ravel())}


def in_mm(points: np.ndarray, slice_: Dataset) -> dict[str, list[float]]:
    plane = ImagePlane.from_dicom(
        slice_.ImagePositionPatient, slice_.ImageOrientationPatient, slice_.PixelSpacing, slice_.Rows, slice_.Columns
    )
    placed = plane.to_patient(points)
    return {"long": list(placed[:2].ravel()), "short": list(placed[2:].ravel())}


def test_a_mark_lands_on_its_slice_counted_from_the_head() -> None:
    found = measured(bidimensional(UID), ct_series(5))
    assert found.instance.SOPInstanceUID == UID
    assert found.slice_index == 3
    assert_allclose(found.points, POINTS)
    assert found.diameters_px == (20, 16)
    assert found.diameters_mm == pytest.approx((16, 12.8))
    assert not found.flags


def test_the_long_axis_comes_first_in_mm_whatever_the_report_calls_long() -> None:
    found = measured(bidimensional(UID, **scoord(POINTS[[2, 3, 0, 1]]), long_mm=12.8, short_mm=16), ct_series())
    assert_allclose(found.points, POINTS)
    tall = measured(bidimensional(UID, long_mm=None, short_mm=None), ct_series(PixelSpacing=[1.5, 0.5]))
    assert_allclose(tall.points, POINTS[[2, 3, 0, 1]])
    assert tall.diameters_mm == pytest.approx((24, 10))


@pytest.mark.parametrize(
    ("orientation", "canonical"),
    [
        ([-1, 0, 0, 0, 1, 0], [dicom.COLUMNS - 1, 0]),
        ([1, 0, 0, 0, -1, 0], [0, dicom.ROWS - 1]),
        ([-1, 0, 0, 0, -1, 0], [dicom.COLUMNS - 1, dicom.ROWS - 1]),
    ],
)
def test_points_are_flipped_with_mirrored_and_prone_slices(orientation: list[int], canonical: list[int]) -> None:
    found = measured(bidimensional(UID), ct_series(5, ImageOrientationPatient=orientation))
    expected = np.where(np.array(canonical) > 0, canonical - POINTS, POINTS)
    assert_allclose(found.points, expected)
    assert found.slice_index == 3


@pytest.mark.parametrize("spacing", [[0.8, 0.8], [1.2, 0.6]])
@pytest.mark.parametrize("y", [(0, 1, 0), (0, np.cos(0.3), np.sin(0.3)), (0, -1, 0)])
def test_millimetres_find_slice_and_pixels(spacing: list[float], y: tuple[float, ...]) -> None:
    slices = ct_series(5, PixelSpacing=spacing, ImageOrientationPatient=[1, 0, 0, *y])
    group = bidimensional("", **in_mm(POINTS, slices[1]), long_mm=None, short_mm=None)
    found = measured(group, slices)
    assert found.instance.SOPInstanceUID == UID
    expected = POINTS if y[1] > 0 else np.array([0, dicom.ROWS - 1]) + POINTS * [1, -1]
    assert_allclose(sorted(map(tuple, found.points)), sorted(map(tuple, expected)), atol=1e-6)


def test_evidence_chooses_among_series_that_share_a_frame_of_reference() -> None:
    thin = [ct(z=z, SeriesInstanceUID="1.2.3.1.0", SOPInstanceUID=f"1.9.{z}") for z in range(21)]
    (bookmark,) = readers.read(report(bidimensional("", **in_mm(POINTS, thin[6]))))
    images = StudyImages(facts(*thin, *ct_series()))
    nearest = resolve(bookmark, images)
    assert isinstance(nearest, Measurement)
    assert nearest.instance.SOPInstanceUID == "1.9.6"
    assert nearest.flags == {Flag.AMBIGUOUS_SERIES}
    evidence = Dataset()
    evidence.ReferencedSOPInstanceUID = "1.2.3.1.1.1000"
    series, study = Dataset(), Dataset()
    series.ReferencedSOPSequence, study.ReferencedSeriesSequence = [evidence], [series]
    named = report(bidimensional("", **in_mm(POINTS, thin[6])), CurrentRequestedProcedureEvidenceSequence=[study])
    (bookmark,) = readers.read(named)
    chosen = resolve(bookmark, images)
    assert isinstance(chosen, Measurement)
    assert chosen.instance.SOPInstanceUID == UID
    assert not chosen.flags


def other_series(**changes: Any) -> list[Dataset]:
    """A second reconstruction of `ct_series` at the same positions, whose UID comes first."""
    uid = "1.2.3.1.0"
    return [ct(z=5.0 * n, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{n}", **changes) for n in range(5)]


@pytest.mark.parametrize(
    ("other", "z", "series", "flags"),
    [
        (other_series(), 5.0, "1.2.3.1.0", {Flag.AMBIGUOUS_SERIES}),
        (other_series(), 5.0001, "1.2.3.1.0", {Flag.AMBIGUOUS_SERIES}),
        (other_series()[3:], 5.0, "1.2.3.1.1", set()),
        (other_series(ImageType=["DERIVED", "SECONDARY", "AXIAL"]), 5.0, "1.2.3.1.1", set()),
        (other_series(FrameOfReferenceUID="1.2.3.8"), 5.0, "1.2.3.1.1", set()),
        (other_series(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])[:1], 0.0, "1.2.3.1.1", set()),
        (other_series(ImageOrientationPatient=[1, 0, 0, 0, 0, -1], SliceThickness=400)[:1], 5.0, "1.2.3.1.1", set()),
    ],
    ids=["at the same place", "rounding", "elsewhere", "refused", "another frame", "another plane", "a localizer"],
)
def test_a_mark_that_several_series_may_hold_goes_to_the_nearest_and_is_flagged(
    other: list[Dataset], z: float, series: str, flags: set[Flag]
) -> None:
    found = measured(bidimensional("", **in_mm(POINTS, ct(z=z))), [*ct_series(), *other])
    assert found.volume.SeriesInstanceUID == series
    assert found.flags == flags


def test_off_plane_by_more_than_half_the_spacing() -> None:
    group = bidimensional("", **in_mm(POINTS, ct(z=23)))
    assert reason(group, ct_series()) is Reason.OFF_PLANE
    localizer = other_series(ImageOrientationPatient=[1, 0, 0, 0, 0, -1], SliceThickness=400)[0]
    assert reason(group, [*ct_series(), localizer]) is Reason.OFF_PLANE
    across = bidimensional("", **in_mm(POINTS, localizer))
    assert reason(across, [*ct_series(), localizer]) is Reason.NON_AXIAL
    assert outcome(bidimensional("", **in_mm(POINTS, ct(z=22.4))), ct_series()).modality == "CT"


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        ([1, 0, 0, 0, 0, -1], Reason.NON_AXIAL),
        ([0, 1, 0, 0, 0, -1], Reason.NON_AXIAL),
        ([1, 0, 0, 0, 0.8, 0.6], Reason.NON_AXIAL),
        ([0, 1, 0, 1, 0, 0], Reason.NON_AXIAL),
    ],
)
def test_what_is_not_axial_is_refused(orientation: list[float], expected: Reason) -> None:
    assert reason(bidimensional(UID), ct_series(ImageOrientationPatient=orientation)) is expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[10, 20], [30, 20], [20, 25], [20, 28]], Reason.NOT_CROSSING),
        ([[10, 20], [30, 20], [20, 20], [20, 20]], Reason.DEGENERATE),
        ([[10, 20], [64.1, 20], [20, 12], [20, 28]], Reason.OUTSIDE_IMAGE),
        ([[-0.8, 20], [30, 20], [20, 12], [20, 28]], Reason.OUTSIDE_IMAGE),
    ],
)
def test_impossible_marks_are_refused(points: list[list[float]], expected: Reason) -> None:
    assert reason(bidimensional(UID, **scoord(np.array(points))), ct_series()) is expected


def test_unknown_images_are_unresolved_and_no_image_is_not_waited_for() -> None:
    assert reason(bidimensional("1.2.3.4"), ct_series()) is Reason.UNRESOLVED_IMAGE
    assert reason(bidimensional(""), ct_series()) is Reason.UNSUPPORTED_OBJECT
    elsewhere = ct_series(FrameOfReferenceUID="1.2.3.8")
    assert reason(bidimensional("", **in_mm(POINTS, ct())), elsewhere) is Reason.UNRESOLVED_IMAGE


def test_marks_on_other_modalities_say_so() -> None:
    found = outcome(bidimensional(UID), ct_series(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"))
    assert isinstance(found, Rejected)
    assert (found.reason, found.modality) == (Reason.OTHER_MODALITY, "MR")


@pytest.mark.parametrize(
    "changes",
    [{"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, {"BurnedInAnnotation": "YES"},
     {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, {"ImagePositionPatient": None}, {"PixelSpacing": [0, 0]}],
)  # fmt: skip
def test_marks_on_refused_images_are_refused(changes: dict[str, object]) -> None:
    assert reason(bidimensional(UID), ct_series(**changes)) is Reason.UNSUPPORTED_OBJECT


def test_a_reported_length_that_disagrees_is_flagged_not_believed() -> None:
    found = measured(bidimensional(UID, long_mm=32), ct_series())
    assert found.flags == {Flag.LENGTH_DISAGREES}
    assert found.diameters_mm == pytest.approx((16, 12.8))


def test_swapped_spacings_are_corrected_only_where_the_lengths_prove_it() -> None:
    dy, dx = 1.2, 0.6
    slices = ct_series(PixelSpacing=[dy, dx])
    # What the viewer meant, and what it wrote: x by the row spacing, y by the column spacing.
    meant = np.array([[10, 10], [50, 14], [28, 4], [32, 20]], dtype=float)
    written = meant * [dx / dy, dy / dx]
    lengths = np.hypot(*((meant[1::2] - meant[0::2]) * [dx, dy]).T)
    found = measured(bidimensional(UID, **scoord(written), long_mm=lengths[0], short_mm=lengths[1]), slices)
    assert found.flags == {Flag.SPACING_CORRECTED}
    assert_allclose(found.points, meant)
    unproved = measured(bidimensional(UID, **scoord(meant), long_mm=None, short_mm=None), slices)
    assert_allclose(unproved.points, meant)


def test_a_mark_saved_twice_is_recognised() -> None:
    first = measured(bidimensional(UID), ct_series())
    again = measured(bidimensional(UID, **scoord(POINTS[[1, 0, 3, 2]] + 0.01)), ct_series())
    other = measured(bidimensional(UID, **scoord(POINTS + 1)), ct_series())
    assert first.mark == again.mark != other.mark


def test_two_slices_at_one_place_are_flagged_and_do_not_crash() -> None:
    twin = ct(z=5, SOPInstanceUID="1.2.3.1.1.7777", InstanceNumber=9)
    found = measured(bidimensional(UID), [*ct_series(), twin])
    assert found.flags == {Flag.DUPLICATE_POSITION}
    assert found.volume.interval == 5


def test_a_single_slice_takes_its_thickness_for_the_spacing() -> None:
    group = bidimensional("", **in_mm(POINTS, ct(z=2.4)))
    assert measured(group, [ct(z=0)]).volume.interval is None
    assert reason(group, [ct(z=0, SliceThickness=1)]) is Reason.OFF_PLANE
