"""DL_info.csv as the detector reads it."""

import numpy as np
import pytest

from detection.data.release import open_release
from detection.data.table import read_lesions, select
from detection.errors import BadRelease, BadTable, EmptySplit
from tests.detection.releases import REAL, needs_real, row, write_release, write_table


@needs_real
def test_the_real_table_is_read_whole():
    lesions = read_lesions(REAL / "DL_info.csv")
    assert len(lesions) == 4946
    assert len(select(lesions, "test")) == 4912
    sizes = np.digitize([each.diameter_mm for each in lesions if each.split == 3], [10, 15, 20, 25, 30, 40, 50])
    assert np.bincount(sizes).tolist() == [1053, 1167, 835, 545, 371, 430, 202, 324]
    first = lesions[0]
    assert first.file_name == "000001_01_01_109.png"
    assert first.folder == "000001_01_01"
    assert first.box == pytest.approx((225.169, 89.0204, 240.252, 110.977))
    assert (first.interval, first.spacing) == (5, 0.488281)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"Bounding_boxes": "1, 2, 3"}, "DL_info.csv line 3: Bounding_boxes cannot be read; correct the cell"),
        (
            {"Bounding_boxes": "9, 9, 3, 3"},
            "DL_info.csv line 3: the box in Bounding_boxes has no extent; correct or remove the line",
        ),
        (
            {"Bounding_boxes": "65, 9, 80, 20"},
            "DL_info.csv line 3: the box lies outside its image; correct or remove the line",
        ),
        (
            {"Bounding_boxes": "9, -20, 20, 0"},
            "DL_info.csv line 3: the box lies outside its image; correct or remove the line",
        ),
        ({"Bounding_boxes": "1, 2, nan, 4"}, "DL_info.csv line 3: Bounding_boxes cannot be read; correct the cell"),
        *(
            ({"Spacing_mm_px_": spacing}, "DL_info.csv line 3: Spacing_mm_px_ cannot be read; correct the cell")
            for spacing in ("NaN, NaN, NaN", "-1, -1, 2", "0, 0, 2", "inf, inf, 2", "0.8, NaN, 2")
        ),
        *(
            ({"File_name": name}, "DL_info.csv line 3: File_name cannot be read; correct the cell")
            for name in (
                "x.png",
                "_010.png",
                "../../000001_01_01_010.png",
                "000001_01_01_010.jpg",
                "000001_01_01_.png",
            )
        ),
        (
            {"Key_slice_index": "9"},
            "DL_info.csv line 3: File_name and Key_slice_index name different slices; correct one",
        ),
        ({"Coarse_lesion_type": "99"}, "DL_info.csv line 3: Coarse_lesion_type cannot be read; correct the cell"),
        ({"Train_Val_Test": "0"}, "DL_info.csv line 3: Train_Val_Test cannot be read; correct the cell"),
        ({"Key_slice_index": "x"}, "DL_info.csv line 3: Key_slice_index cannot be read; correct the cell"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(tmp_path, change, sentence):
    path = write_table(tmp_path / "DL_info.csv", [row(), {**row(), **change}])
    with pytest.raises(BadTable, match=f"^{sentence}$"):
        read_lesions(path)


def test_an_unknown_interval_is_none(tmp_path):
    intervals = ("NaN", "inf", "0", "-5", "5")
    rows = [{**row(), "Spacing_mm_px_": f"0.8, 0.8, {interval}"} for interval in intervals]
    table = write_table(tmp_path / "DL_info.csv", rows)
    assert [each.interval for each in read_lesions(table)] == [0, 0, 0, 0, 5], "the key slice is repeated, as in 3DCE"


def test_a_published_download_needs_no_manifest(tmp_path):
    release = open_release(write_release(tmp_path / "DeepLesion", manifest=False))
    assert release.name == "DeepLesion"
    assert [len(release.samples(split)) for split in ("train", "val", "test", "all")] == [7, 1, 2, 10]


def test_a_smaller_share_of_patients_is_part_of_a_larger_one(discs):
    release = open_release(discs)
    few, more, all_ = (
        {sample.patient for sample in release.samples("train", fraction=share, seed=5)} for share in (0.1, 0.5, 1.0)
    )
    assert (len(few), len(more), len(all_)) == (1, 4, 7)
    assert few < more < all_


def test_lesions_of_one_image_are_one_sample_and_noisy_ones_are_left_out(tmp_path):
    rows = [row(), row(box=(5.0, 5.0, 9.0, 9.0)), row(patient=2, noisy=1)]
    (tmp_path / "Images_png").mkdir()
    write_table(tmp_path / "DL_info.csv", rows)
    (sample,) = open_release(tmp_path).samples("train")
    assert sample.boxes.tolist() == [[20, 20, 40, 40], [5, 5, 9, 9]]


def test_what_is_no_release_or_one_of_another_version_is_refused(tmp_path):
    with pytest.raises(BadRelease, match="is no release"):
        open_release(tmp_path)
    folder = write_release(tmp_path / "release")
    (folder / "manifest.json").write_text('{"format_version": 7, "name": "later"}')
    with pytest.raises(
        BadRelease, match=r"^later is a release of version 7, readable here is version 1; export it again"
    ):
        open_release(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(BadRelease, match="cannot be read; export the release again"):
        open_release(folder)


def test_an_empty_split_is_refused(tmp_path):
    (tmp_path / "Images_png").mkdir()
    write_table(tmp_path / "DL_info.csv", [row(split=1)])
    with pytest.raises(EmptySplit, match="has no lesion in the test split"):
        open_release(tmp_path).samples("test")
