"""Objects of one SOPInstanceUID: copies count once, different ones are told and give no lesion."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.pacs import readers
from datasets.pacs.addresses import open_source
from datasets.pacs.directory import DirectorySource
from datasets.pacs.instance import Instance
from datasets.pacs.placing import Rejected, StudyImages
from datasets.pacs.readers import Reason
from datasets.pacs.resolve import resolve
from datasets.pacs.source import Contradiction
from tests.datasets.pacs.dicom_files import bidimensional, ct, report, save
from tests.datasets.pacs.web_archive import archive

ELSEWHERE, OTHER_SERIES = "1.2.3.1.1.1020", "1.2.3.1.1.1030"
SLICES = {
    "a": ct(z=0.0),
    "b": ct(z=10.0),
    "copy of a": ct(z=0.0004, SOPInstanceUID="1.2.3.1.1.1000", KVP=120),
    "cut copy of a": ct(SOPInstanceUID="1.2.3.1.1.1000", ImagePositionPatient=None, FrameOfReferenceUID=None),
    "c": ct(z=20.0, SOPInstanceUID=ELSEWHERE),
    "d": ct(z=25.0, SOPInstanceUID=ELSEWHERE),
    "e": ct(z=30.0, SOPInstanceUID=OTHER_SERIES),
    "f": ct(z=30.0, SOPInstanceUID=OTHER_SERIES, SeriesInstanceUID="1.2.3.1.2", KVP=120),
}


def refused(instances: list[Instance], uid: str, z: float | None = None) -> Rejected:
    in_mm = {} if z is None else {"long": (0, 0, z, 9, 0, z), "short": (5, -5, z, 5, 5, z)}
    (bookmark,) = readers.read(report(bidimensional(uid, **in_mm)))
    found = resolve(bookmark, StudyImages(instances))
    assert isinstance(found, Rejected)
    return found


def test_different_slices_of_one_uid_are_a_contradiction_and_marks_on_them_are_refused(tmp_path: Path) -> None:
    for name, each in SLICES.items():
        save(each, tmp_path / name)
    source = DirectorySource(tmp_path)
    (study,) = source.studies()
    for _ in range(2):
        instances = source.instances(study)
    assert [(each.place, each.error) for each in source.problems] == [("c", Contradiction), ("f", Contradiction)]
    assert [len(volume.instances) for volume in StudyImages(instances).volumes] == [2]
    assert refused(instances, ELSEWHERE).reason is Reason.UNSUPPORTED_OBJECT
    assert refused(instances, OTHER_SERIES).reason is Reason.UNSUPPORTED_OBJECT
    assert refused(instances, "", z=20).reason is Reason.OFF_PLANE


@pytest.mark.parametrize("by", ["folder", "server"])
def test_one_uid_for_a_whole_series_gives_no_lesion(by: str, tmp_path: Path) -> None:
    uid = "1.2.3.1.1.7"
    # A server keeps one object of a name in each series.
    slices = [
        ct(z=5.0 * n, SOPInstanceUID=uid, SeriesInstanceUID=f"1.2.3.1.{n if by == 'server' else 1}") for n in range(5)
    ]
    for number, each in enumerate(slices):
        save(each, tmp_path / f"{number}")
    with archive(slices) as address:
        source = open_source(address if by == "server" else f"dir://{tmp_path}")
        (study,) = source.studies()
        instances = source.instances(study)
    assert [problem.error for problem in source.problems] == [Contradiction]
    for found in (refused(instances, uid), refused(instances, "", z=10)):
        assert (found.reason, found.modality) == (Reason.UNSUPPORTED_OBJECT, "CT")
        assert "SOPInstanceUID" in found.detail
