"""A study's CT slices become volumes."""

import math
from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from datasets.pacs.series import volumes
from tests.datasets.pacs.dicom_files import ct, ct_series, facts, picture


def test_order_follows_geometry_not_instance_numbers() -> None:
    slices = ct_series(6)
    for number, slice_ in zip([3, 1, 6, 2, 5, 4], slices, strict=True):
        slice_.InstanceNumber = number
    (volume,), left_out = volumes(facts(*(slices[i] for i in (4, 0, 3, 5, 1, 2))))
    assert [plane.position[2] for plane in volume.planes] == [25, 20, 15, 10, 5, 0]
    assert not left_out
    assert (volume.interval, volume.spacing) == (5, (0.8, 0.8))


def test_one_series_splits_where_its_geometry_changes() -> None:
    scout = ct(SOPInstanceUID="1.0", ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    zoomed = ct(SOPInstanceUID="1.1", PixelSpacing=[0.5, 0.5])
    small = ct(SOPInstanceUID="1.2", hu=picture(rows=20))
    found, _ = volumes(facts(scout, zoomed, small, *ct_series(4)))
    assert [len(volume.instances) for volume in found] == [4, 1, 1, 1]
    assert [volume.number for volume in found] == [1, 2, 3, 4]


def test_rounding_of_the_orientation_does_not_split_a_series() -> None:
    turned = ct(z=50, ImageOrientationPatient=[1, 0, 0.0004, 0, 1, -0.0004])
    assert len(volumes(facts(turned, *ct_series(3)))[0]) == 1


def test_slices_without_geometry_and_many_frames_are_left_out_with_a_reason() -> None:
    nowhere = ct(SOPInstanceUID="1.0", ImagePositionPatient=None)
    frames = ct(SOPInstanceUID="1.1", NumberOfFrames=4)
    found, left_out = volumes(facts(nowhere, frames, *ct_series(3)))
    assert len(found) == 1
    assert [each.instance.SOPInstanceUID for each in left_out] == ["1.0", "1.1"]
    assert all(each.reason for each in left_out)


def test_a_missing_slice_is_a_gap() -> None:
    slices = ct_series(6)
    del slices[3]
    (volume,), _ = volumes(facts(*slices))
    assert volume.stack.gaps == (1,)
    assert volume.interval == 5


def test_missing_slices_are_counted() -> None:
    slices = ct_series(12)
    del slices[8:10], slices[3]
    (volume,), _ = volumes(facts(*slices))
    assert volume.missing == 3
    assert not volume.contradiction


@pytest.mark.parametrize(("stated", "contradicts"), [(5.0, False), (-5.2, False), (2.5, True), (None, False)])
def test_a_stated_spacing_is_held_against_the_positions(stated: float | None, contradicts: bool) -> None:
    (volume,), _ = volumes(facts(*ct_series(5, SpacingBetweenSlices=stated)))
    assert volume.interval == 5, "the positions are believed"
    assert volume.contradiction == ("its headers state 2.5 mm between slices that lie 5 mm apart" * contradicts)


@pytest.mark.parametrize(("stated", "contradicts"), [(5.0, False), (4.41, False), (2.5, True)])
def test_the_spacing_of_a_tilted_series_may_be_stated_along_the_table(stated: float, contradicts: bool) -> None:
    leaning = [1, 0, 0, 0, math.cos(math.radians(28)), math.sin(math.radians(28))]
    slices = ct_series(5, ImageOrientationPatient=leaning, SpacingBetweenSlices=stated)
    (volume,), _ = volumes(facts(*slices))
    assert volume.interval == pytest.approx(5 * math.cos(math.radians(28)))
    assert bool(volume.contradiction) is contradicts


def phases(numbers: Callable[[int, int], int | None], places: int = 6, lost: int = 0) -> list[Dataset]:
    """Two phases in one series; numbers are given by phase and place, and the last slices are lost."""
    found = [
        ct(z=5.0 * place, SOPInstanceUID=f"1.{9 - phase}.{place}", InstanceNumber=numbers(phase, place))
        for phase in range(2)
        for place in range(places)
    ]
    return found[: len(found) - lost]


@pytest.mark.parametrize(
    "numbers",
    [lambda phase, place: 6 * phase + place, lambda phase, place: 2 * place + phase],
    ids=["after", "in turns"],
)
def test_phases_in_one_series_are_volumes_of_their_own(numbers: Callable[[int, int], int]) -> None:
    found, _ = volumes(facts(*phases(numbers)))
    assert [(each.number, len(each.instances), each.interval, each.stack.duplicates) for each in found] == [
        (1, 6, 5, ()),
        (2, 6, 5, ()),
    ]
    for each, phase in zip(found, ("1.9", "1.8"), strict=True):
        assert {instance.SOPInstanceUID.rpartition(".")[0] for instance in each.instances} == {phase}


@pytest.mark.parametrize(
    "slices",
    [
        phases(lambda phase, place: 6 * phase + place, lost=1),
        phases(lambda phase, place: None),
        phases(lambda phase, place: phase, places=1),
    ],
    ids=["a slice is missing", "not numbered", "one position"],
)
def test_what_may_be_no_phases_stays_together(slices: list[Dataset]) -> None:
    (volume,), _ = volumes(facts(*slices))
    assert volume.stack.duplicates


def test_a_slice_of_another_pixel_spacing_between_two_others_contradicts_them() -> None:
    slices = ct_series(6)
    slices[3] = ct(z=15, PixelSpacing=[0.5, 0.5])
    found, _ = volumes(facts(*slices))
    assert [len(each.instances) for each in found] == [5, 1]
    assert {each.contradiction for each in found} == {"its slices are 0.5 mm per pixel among others of 0.8 mm"}


def test_a_second_reconstruction_in_one_series_contradicts_nothing() -> None:
    zoomed = [ct(z=z, SOPInstanceUID=f"1.0.{z}", PixelSpacing=[0.5, 0.5]) for z in (5, 10)]
    found, _ = volumes(facts(*zoomed, *ct_series(5)))
    assert [(len(each.instances), each.contradiction) for each in found] == [(5, ""), (2, "")]


def test_the_order_of_files_changes_nothing() -> None:
    slices = facts(*ct_series(5), ct(z=5, SOPInstanceUID="1.5"), ct(SOPInstanceUID="1.1", PixelSpacing=[0.5, 0.5]))
    assert volumes(slices) == volumes(reversed(slices))
