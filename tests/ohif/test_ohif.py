"""Reports that OHIF's own libraries write, over real CT pixels: every vertex comes back within 0.01 px."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from datasets.geometry.volume import ImagePlane
from datasets.pacs import readers
from datasets.pacs.directory import DirectorySource
from datasets.pacs.placing import StudyImages
from datasets.pacs.readers import Bookmark, Reason, Tool
from datasets.pacs.resolve import Flag, Measurement, resolve
from tests.peers.needed import required

HERE = Path(__file__).parent
WITHIN_PX = 0.01
INSTALL_WITHIN_S = 300

TRUTH = np.array([[40.25, 50.5], [71.75, 62.125], [58.5, 44.75], [51.375, 68.25]])
"""Pixels, 0-based, centres at integers, both axes of unequal length."""

Case = dict[str, Any]


def plane(slice_: Dataset) -> ImagePlane:
    return ImagePlane.from_dicom(
        slice_.ImagePositionPatient, slice_.ImageOrientationPatient, slice_.PixelSpacing, slice_.Rows, slice_.Columns
    )


@pytest.fixture(scope="module")
def ohif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install OHIF's libraries as the lock file pins them, and give the folder."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        _give_up("OHIF's libraries need node and npm, which are not on this machine")
    folder = tmp_path_factory.mktemp("ohif")
    for name in ("package.json", "package-lock.json", "write.mjs"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WITHIN_S)
    if done.returncode:
        _give_up(f"npm cannot install OHIF's libraries: {done.stderr.strip()[-300:]}")
    return folder


def _give_up(reason: str) -> None:
    if required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def ct() -> Dataset:
    """Give a real CT slice, which pydicom ships."""
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    return pydicom.dcmread(path)


def series(ct: Dataset, folder: Path, spacing: tuple[float, float] | None = None) -> list[Dataset]:
    """Three slices 5 mm apart with its pixels, on disk."""
    folder.mkdir()
    slices = []
    for number in range(3):
        slice_ = pydicom.dcmread(str(ct.filename))
        x, y, z = slice_.ImagePositionPatient
        slice_.ImagePositionPatient = [x, y, z + 5 * number]
        slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        slice_.PatientID = "4711"
        if spacing:
            slice_.PixelSpacing = list(spacing)
        slice_.save_as(folder / f"{number}.dcm")
        slices.append(slice_)
    return slices


@pytest.fixture
def written(ohif: Path, tmp_path: Path) -> Callable[[list[Dataset], Case], Dataset]:
    """Give a function that has OHIF's libraries write one report beside the slices."""

    def write(slices: list[Dataset], case: Case) -> Dataset:
        images = [
            {
                "imageId": f"image:{slice_.SOPInstanceUID}",
                "sopClassUID": slice_.SOPClassUID,
                "sopInstanceUID": slice_.SOPInstanceUID,
                "studyInstanceUID": slice_.StudyInstanceUID,
                "seriesInstanceUID": slice_.SeriesInstanceUID,
                "frameOfReferenceUID": slice_.FrameOfReferenceUID,
                "orientation": [float(number) for number in slice_.ImageOrientationPatient],
                "position": [float(number) for number in slice_.ImagePositionPatient],
                "spacing": [float(number) for number in slice_.PixelSpacing],
                "rows": slice_.Rows,
                "columns": slice_.Columns,
                "patientID": slice_.PatientID,
            }
            for slice_ in slices
        ]
        given = tmp_path / "input.json"
        given.write_text(json.dumps({"images": images, "cases": [case | {"name": "report"}]}))
        target = tmp_path / "in"
        subprocess.run(
            ["node", "write.mjs", given, target], cwd=ohif, check=True, capture_output=True, text=True, timeout=60
        )
        return pydicom.dcmread(target / "report.dcm", force=True)

    return write


def bidirectional(slice_: Dataset, *, volume: bool = False, stats: bool = True, site: str = "") -> Case:
    """What OHIF 3 holds of the truth drawn on a slice."""
    points = plane(slice_).to_patient(TRUTH)
    lengths = np.linalg.norm(points[1::2] - points[::2], axis=1)
    measured = {"length": lengths.max(), "width": lengths.min(), "unit": "mm", "widthUnit": "mm"}
    return {
        "version": 3,
        "tool": "Bidirectional",
        "imageId": "" if volume else f"image:{slice_.SOPInstanceUID}",
        "points": points.tolist(),
        "stats": measured if stats else None,
        "site": site,
    }


def read(folder: Path) -> tuple[list[Bookmark], StudyImages]:
    source = DirectorySource(folder)
    instances = [instance for study in source.studies() for instance in source.instances(study)]
    assert not source.problems
    reports = [each for each in instances if readers.is_annotation(each)]
    return [bookmark for each in reports for bookmark in readers.read(source.read(each))], StudyImages(instances)


def measured(folder: Path) -> tuple[Bookmark, Measurement]:
    (bookmark,), images = read(folder)
    found = resolve(bookmark, images)
    assert isinstance(found, Measurement), found
    return bookmark, found


def assert_truth(points: object) -> None:
    """Either end of an axis may come first."""
    got: NDArray[np.float64] = np.array(points)
    for axis in (0, 2):
        expected = TRUTH[axis : axis + 2]
        ours = got[axis : axis + 2]
        if np.abs(ours - expected).max() > np.abs(ours[::-1] - expected).max():
            ours = ours[::-1]
        assert_allclose(ours, expected, atol=WITHIN_PX)


Write = Callable[[list[Dataset], Case], Dataset]


def test_version_3_on_a_stack(ct: Dataset, written: Write, tmp_path: Path) -> None:
    slices = series(ct, tmp_path / "in")
    report = written(slices, bidirectional(slices[1], site="Liver"))
    assert report.SOPClassUID.name == "Enhanced SR Storage"
    bookmark, found = measured(tmp_path / "in")
    assert_truth(found.points)
    assert found.instance.SOPInstanceUID == "1.2.3.1"
    assert not found.flags
    assert (bookmark.tracking_uid, bookmark.site.meaning if bookmark.site else "") == ("", "Liver")


def test_version_3_on_a_volume(ct: Dataset, written: Write, tmp_path: Path) -> None:
    slices = series(ct, tmp_path / "in")
    report = written(slices, bidirectional(slices[2], volume=True))
    assert report.SOPClassUID.name == "Comprehensive 3D SR Storage"
    bookmark, found = measured(tmp_path / "in")
    assert bookmark.in_mm
    assert not bookmark.image
    assert_truth(found.points)
    assert found.instance.SOPInstanceUID == "1.2.3.2"


def test_version_2(ct: Dataset, written: Write, tmp_path: Path) -> None:
    slices = series(ct, tmp_path / "in")
    case = bidirectional(slices[0])
    # Its viewer counts pixels from the first pixel's corner.
    written(slices, case | {"version": 2, "points": (TRUTH + 0.5).tolist()})
    bookmark, found = measured(tmp_path / "in")
    assert_truth(found.points)
    assert found.instance.SOPInstanceUID == "1.2.3.0"
    assert bookmark.tracking_uid == ""


def test_missing_numbers_do_not_cost_the_measurement(ct: Dataset, written: Write, tmp_path: Path) -> None:
    slices = series(ct, tmp_path / "in")
    written(slices, bidirectional(slices[1], stats=False))
    bookmark, found = measured(tmp_path / "in")
    assert (bookmark.long_mm, bookmark.short_mm) == (None, None)
    assert_truth(found.points)


def test_utf8_without_a_character_set(ct: Dataset, written: Write, tmp_path: Path) -> None:
    slices = series(ct, tmp_path / "in")
    report = written(slices, bidirectional(slices[1], site="Nebenhöhle"))
    assert "SpecificCharacterSet" not in report
    bookmark, found = measured(tmp_path / "in")
    assert bookmark.site is not None
    assert bookmark.site.meaning == "Nebenhöhle"
    assert_truth(found.points)


@pytest.mark.parametrize("spacing", [(1.2, 0.6), (0.5, 0.75)])
def test_unequal_spacing_is_put_right(
    ct: Dataset, written: Write, tmp_path: Path, spacing: tuple[float, float]
) -> None:
    slices = series(ct, tmp_path / "in", spacing)
    written(slices, bidirectional(slices[1]))
    bookmark, found = measured(tmp_path / "in")
    # The library divides x by the spacing of rows, so what the file says is wrong.
    assert np.abs(np.array(bookmark.points) - TRUTH).max() > 1
    assert Flag.SPACING_CORRECTED in found.flags
    # Of rows twice as far apart as columns, the upright axis is the longer one.
    assert_truth(found.points if spacing[0] < spacing[1] else (*found.points[2:], *found.points[:2]))


@pytest.mark.parametrize(
    ("tool", "points", "expected"),
    [
        ("Length", [0, 1], Tool.LINE),
        ("EllipticalROI", [0, 1, 2, 3], Tool.ELLIPSE),
        ("CircleROI", [0, 1], Tool.ELLIPSE),
        ("RectangleROI", [0, 2, 3, 1], Tool.OTHER),
        ("PlanarFreehandROI", [0, 2, 1, 3], Tool.OTHER),
        ("ArrowAnnotate", [0, 1], Tool.ARROW),
    ],
)
def test_other_tools_give_no_lesion_and_a_reason(
    ct: Dataset, written: Write, tmp_path: Path, tool: str, points: list[int], expected: Tool
) -> None:
    slices = series(ct, tmp_path / "in")
    case = bidirectional(slices[1])
    stats = {"length": 20.0, "area": 100.0, "mean": 40.0, "stdDev": 9.0, "max": 99.0, "unit": "mm", "perimeter": 60.0}
    chosen = [case["points"][index] for index in points]
    written(slices, case | {"tool": tool, "points": chosen, "stats": stats})
    found, _ = read(tmp_path / "in")
    assert [(each.tool, each.reason) for each in found] == [(expected, Reason.NOT_RECIST)]
