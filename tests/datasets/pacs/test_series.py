"""A study's CT slices become volumes."""

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


def test_the_order_of_files_changes_nothing() -> None:
    slices = facts(*ct_series(5), ct(z=5, SOPInstanceUID="1.5"), ct(SOPInstanceUID="1.1", PixelSpacing=[0.5, 0.5]))
    assert volumes(slices) == volumes(reversed(slices))
