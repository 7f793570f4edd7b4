"""A folder of DICOM files as a source: any shape, any order, and broken files beside good ones."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tracemalloc
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from datasets.pacs import directory, shelf
from datasets.pacs.addresses import open_source
from datasets.pacs.directory import DirectorySource, read_file
from datasets.pacs.instance import Instance
from datasets.pacs.source import FolderLeftOut, SourceNotFound, UnknownScheme, Unreadable
from tests.datasets.pacs.dicom_files import bidimensional, ct, ct_series, facts, report, save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Two studies in a crooked folder."""
    for index, slice_ in enumerate(ct_series(3)):
        save(slice_, tmp_path / "in" / f"{9 - index}" / "noextension")
    save(report(bidimensional("1.2.3.1.1.1000"), SOPInstanceUID="1.2.3.1.7.1"), tmp_path / "in" / "a" / "b" / "sr.dcm")
    save(
        ct(StudyInstanceUID="1.2.3.0", SOPInstanceUID="1.2.3.0.1", SeriesInstanceUID="1.2.3.0.5"),
        tmp_path / "in" / "z.IMA",
    )
    return tmp_path / "in"


def listed(root: Path) -> list[list[Instance]]:
    source = DirectorySource(root)
    return [source.instances(study) for study in source.studies()]


def test_studies_come_in_the_order_of_their_uid_with_what_any_object_states(hospital: Path) -> None:
    source = open_source(f"dir://{hospital}")
    first, second = source.studies()
    assert (first.StudyInstanceUID, second.StudyInstanceUID) == ("1.2.3.0", "1.2.3.1")
    # The report alone, as some viewers write it, names no patient.
    assert (second.PatientID, second.AccessionNumber, second.StudyDate) == ("4711", "A1", "20150420")
    assert second.ModalitiesInStudy == ("CT", "SR")
    assert second.NumberOfStudyRelatedInstances == 4
    assert not source.problems


def test_instances_carry_what_the_header_says(hospital: Path) -> None:
    source = DirectorySource(hospital)
    (instance,) = source.instances(next(source.studies()))
    assert instance.PatientID == "4711"
    assert instance.ImageOrientationPatient == (1, 0, 0, 0, 1, 0)
    assert instance.PixelSpacing == (0.8, 0.8)
    assert (instance.Rows, instance.Columns, instance.InstanceNumber) == (48, 64, 1)
    assert instance.locator == "z.IMA"
    assert source.read(instance).PixelData == ct().PixelData


def test_the_shape_of_the_folder_changes_nothing_but_the_paths(hospital: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(p for p in hospital.rglob("*") if p.is_file())):
        shutil.copy(path, flat / f"{(number * 7) % 5}x{number}")

    def without_paths(studies: list[list[Instance]]) -> list[list[tuple[object, ...]]]:
        return [[tuple(getattr(i, n) for n in Instance.__slots__ if n != "locator") for i in s] for s in studies]

    assert without_paths(listed(flat)) == without_paths(listed(hospital))


def test_packed_facts_are_the_same_facts(hospital: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = listed(hospital)
    monkeypatch.setattr(shelf, "OPEN_LIMIT", 2)
    assert listed(hospital) == loose


def test_copies_of_one_object_count_once(hospital: Path) -> None:
    shutil.copy(hospital / "z.IMA", hospital / "copy of z.IMA")
    assert [len(instances) for instances in listed(hospital)] == [1, 4]


@pytest.mark.parametrize("tag", [b"\xe0\x7f\x10\x00", b"\x20\x00\x32\x00"], ids=["pixels", "position"])
def test_a_copy_that_was_cut_is_named_and_the_next_one_read(tmp_path: Path, tag: bytes) -> None:
    whole = save(ct(), tmp_path / "in" / "b" / "slice").read_bytes()
    for copy in ("a", "c"):
        (tmp_path / "in" / copy).mkdir()
        (tmp_path / "in" / copy / "slice").write_bytes(whole[: whole.index(tag) + 20])
    source = DirectorySource(tmp_path / "in")
    (study,) = source.studies()
    (instance,) = source.instances(study)
    assert instance.ImagePositionPatient == (-20, -30, 0)
    assert source.read(instance).PixelData == ct().PixelData
    ((_, again),) = source.read_all([instance])
    assert isinstance(again, Dataset)
    (problem,) = source.problems
    assert problem.place == "a/slice"
    assert problem.reason == "truncated: it ends in the middle of an element; another copy of the object is read"


def test_a_copy_whose_pixels_do_not_decode_is_named_and_the_next_one_read(tmp_path: Path) -> None:
    whole, short = ct(), ct()
    short.PixelData = short.PixelData[:2000]
    save(short, tmp_path / "in" / "a")
    save(whole, tmp_path / "in" / "b")
    source = DirectorySource(tmp_path / "in")
    (study,) = source.studies()
    (instance,) = source.instances(study)
    assert source.read(instance).PixelData == whole.PixelData
    (problem,) = source.problems
    assert str(problem).startswith("a: it has 2000 bytes of pixels")


def test_where_no_copy_is_whole_each_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(ct(), tmp_path / "in" / name)
    source = DirectorySource(tmp_path / "in")
    (study,) = source.studies()
    (instance,) = source.instances(study)
    (tmp_path / "in" / "a").unlink()
    (tmp_path / "in" / "b").write_bytes(b"x")
    with pytest.raises(Unreadable, match="No such file"):
        source.read(instance)
    assert [str(problem) for problem in source.problems] == ["b: not a DICOM file"]


def test_broken_files_are_named_with_their_cause_and_the_rest_goes_on(hospital: Path) -> None:
    whole = (hospital / "z.IMA").read_bytes()
    (hospital / "notes.txt").write_text("call back on Monday")
    (hospital / "empty").write_bytes(b"")
    (hospital / "cut.dcm").write_bytes(whole[:180])
    (hospital / "cut2.dcm").write_bytes(whole[:400])
    (hospital / "garbage.dcm").write_bytes(whole[:132] + bytes(range(256)) * 8)
    (hospital / "zeros.dcm").write_bytes(bytes(4000))
    (hospital / "DICOMDIR").write_bytes(b"")
    (hospital / "gone.dcm").symlink_to(hospital / "nowhere")
    source = DirectorySource(hospital)
    assert len(list(source.studies())) == 2
    problems = {problem.place: problem.reason for problem in source.problems}
    assert set(problems) == {
        "cut.dcm", "cut2.dcm", "empty", "garbage.dcm", "gone.dcm", "notes.txt", "zeros.dcm"
    }  # fmt: skip
    assert problems["notes.txt"] == "not a DICOM file"
    assert problems["gone.dcm"] == "No such file or directory"
    assert all(problems.values())


def test_what_is_no_file_is_named_and_never_opened(hospital: Path) -> None:
    os.mkfifo(hospital / "pipe")
    os.mkfifo(hospital / "pipe.xml")
    (hospital / "device.dcm").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(hospital / "socket"))
    source = DirectorySource(hospital)
    assert len(list(source.studies())) == 2
    assert [str(problem) for problem in source.problems] == [
        f"{name}: not a file" for name in ("device.dcm", "pipe", "pipe.xml", "socket")
    ]
    with pytest.raises(SourceNotFound, match=r"^file 1 of those with annotations cannot be taken: not a file$"):
        open_source(f"dir://{hospital}", [hospital / "pipe.xml"])


def test_a_folder_that_is_not_looked_into_is_a_problem(hospital: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hospital / "closed").mkdir()
    (hospital / "elsewhere").symlink_to(hospital.parent)
    scandir = os.scandir

    def refused(path: str) -> object:
        # Rights do not keep root out.
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    source = DirectorySource(hospital)
    assert len(list(source.studies(progress=lambda done, total: None))) == 2
    assert [(str(problem), problem.error) for problem in source.problems] == [
        ("closed: what the folder holds is left out: Permission denied", FolderLeftOut),
        ("elsewhere: a link to a folder, which is not followed", FolderLeftOut),
    ]


def test_files_without_preamble_and_in_other_syntaxes_are_read(tmp_path: Path) -> None:
    bare = ct(SOPInstanceUID="1.1")
    bare.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    saved = save(bare, tmp_path / "in" / "bare")
    data = saved.read_bytes()
    # Group 0002 left out as well: the data set alone, as some old exports are.
    saved.write_bytes(data[data.index(b"\x08\x00\x08\x00") :])
    deflated = ct(SOPInstanceUID="1.2")
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    save(deflated, tmp_path / "in" / "deflated")
    source = DirectorySource(tmp_path / "in")
    (instances,) = [source.instances(study) for study in source.studies()]
    assert [instance.SOPInstanceUID for instance in instances] == ["1.1", "1.2"]
    assert [dataset.Rows for _, dataset in source.read_all(instances) if isinstance(dataset, Dataset)] == [48, 48]


def test_a_file_that_vanishes_or_breaks_stops_only_itself(hospital: Path) -> None:
    source = DirectorySource(hospital)
    *_, study = source.studies()
    instances = source.instances(study)
    (hospital / instances[0].locator).unlink()
    (hospital / instances[1].locator).write_bytes(b"x")
    outcomes = [type(outcome) for _, outcome in source.read_all(instances)]
    assert outcomes[:2] == [Unreadable, Unreadable]
    assert Unreadable not in outcomes[2:]
    with pytest.raises(Unreadable, match="No such file"):
        source.read(instances[0])


def test_progress_ends_at_the_number_of_files(hospital: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    list(DirectorySource(hospital).studies(progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (5, 5)


def test_an_empty_folder_holds_no_studies(tmp_path: Path) -> None:
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("/data/export", UnknownScheme, "dir:///data/export"),
        ("ftp://host/x", UnknownScheme, "begins with"),
        ("dir:///no/such/folder", SourceNotFound, "^there is no such folder$"),
        ("dir://data/export", SourceNotFound, "three slashes"),
        ("dir:", SourceNotFound, "names no folder"),
        ("", UnknownScheme, "begins with"),
    ],
)
def test_a_wrong_address_gets_one_sentence(address: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        open_source(address)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = save(ct(), tmp_path / "one.dcm")
    with pytest.raises(SourceNotFound, match=r"^the address names a file, not a folder$"):
        open_source(f"dir://{path}")


def test_spaces_in_an_address_may_be_written_as_percent_20(tmp_path: Path) -> None:
    (tmp_path / "my export").mkdir()
    assert open_source(f"dir://{tmp_path}/my%20export").label == open_source(f"dir://{tmp_path}/my export").label


def test_values_that_break_the_rules_count_as_absent() -> None:
    (instance,) = facts(ct(KVP=None, WindowCenter=[40, 300], Rows=None, PatientAge=None))
    assert (instance.KVP, instance.WindowCenter, instance.Rows, instance.PatientAge) == (None, (40, 300), None, "")


def test_an_element_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    path = save(ct(), tmp_path / "slice.dcm")
    whole = path.read_bytes()
    place = whole.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    path.write_bytes(whole[:place] + (0xFFFFFFF0).to_bytes(4, "little") + whole[place + 4 :])
    tracemalloc.start()
    with pytest.raises(Unreadable, match="truncated"):
        read_file(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_deflated_object_larger_than_any_is_refused_before_it_is_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slice_ = ct(PixelData=bytes(2**22))
    slice_.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(slice_, tmp_path / "slice.dcm")
    assert path.stat().st_size < 2**14
    assert len(read_file(path).PixelData) == 2**22
    monkeypatch.setattr(directory, "MAX_INFLATED_BYTES", 2**20)
    tracemalloc.start()
    with pytest.raises(Unreadable, match="larger than 1 MB"):
        read_file(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
