"""Exports of bookmarks as CSV and XML, in patient millimetres, join their studies by accession number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from datasets.pacs import readers
from datasets.pacs.addresses import open_source
from datasets.pacs.placing import Rejected, StudyImages
from datasets.pacs.readers import Bookmark, Carrier, Reason, Tool
from datasets.pacs.resolve import Measurement, resolve
from datasets.pacs.source import Query, SourceNotFound
from datasets.pacs.types import coarse_type
from tests.datasets.pacs.archive import found as listed
from tests.datasets.pacs.archive import own_study, store, web
from tests.datasets.pacs.dicom_files import ct, ct_series, facts, save
from tests.peers.orthanc import Orthanc

POINTS = np.array([[10, 20], [30, 20], [20, 12], [20, 28]], dtype=float)
MM = np.column_stack([POINTS * 0.8 + [-20, -30], np.full(4, 5.0)])
"""The same points on the second slice of `ct_series`."""

COLUMNS = "accession_number,tool,bookmark,follow_up,x1,y1,z1,x2,y2,z2,x3,y3,z3,x4,y4,z4,long_mm,finding_site"


def line(accession: str = "A1", tool: str = "bidimensional", mm: np.ndarray = MM, rest: str = "B06,F03") -> str:
    numbers = ",".join(f"{number:.3f}" for number in mm.ravel())
    return f"{accession},{tool},{rest},{numbers}{',' * (12 - mm.size)},16.0,Liver"


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for number, slice_ in enumerate(ct_series()):
        save(slice_, folder / f"{number}.dcm")
    return folder


def bookmarks(folder: Path, *documents: Path) -> tuple[list[Bookmark], StudyImages]:
    source = open_source(f"dir://{folder}", documents)
    (study,) = source.studies()
    instances = source.instances(study)
    found = [b for each in filter(readers.is_annotation, instances) for b in readers.read(source.read(each))]
    return found, StudyImages(instances)


def test_a_csv_file_beside_the_images_gives_lesions(hospital: Path) -> None:
    (hospital / "bookmarks.csv").write_text(f"{COLUMNS}\n{line()}\n{line(accession='elsewhere')}\n")
    (bookmark,), images = bookmarks(hospital)
    assert (bookmark.tool, bookmark.carrier, bookmark.reason) == (Tool.BIDIMENSIONAL, Carrier.EXPORT, None)
    assert (bookmark.label, bookmark.follow_up, bookmark.long_mm) == ("B06", "F03", 16)
    assert coarse_type(bookmark.site, bookmark.finding) == 4
    found = resolve(bookmark, images)
    assert isinstance(found, Measurement)
    assert found.instance.SOPInstanceUID == "1.2.3.1.1.1050"
    assert_allclose(found.points, POINTS, atol=1e-3)
    assert not found.flags


@pytest.mark.parametrize("inside", [True, False])
def test_rows_whose_study_is_not_there_are_a_problem(hospital: Path, tmp_path: Path, inside: bool) -> None:
    path = (hospital if inside else tmp_path) / "export.csv"
    path.write_text(f"{COLUMNS}\n{line()}\n{line(accession='B1')}\n{line(accession='B2')}\n")
    source = open_source(f"dir://{hospital}", [] if inside else [path])
    list(source.studies())
    place = "export.csv" if inside else str(path)
    assert [str(each) for each in source.problems] == [f"{place}: 2 of the studies that it marks were not found"]


def test_an_export_is_read_once_however_many_studies_it_marks(hospital: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"{COLUMNS}\n{line(accession='B1')}\n{line()}\n{line(rest='B07,')}\n")
    (whole, other), _ = bookmarks(hospital, path)
    source = open_source(f"dir://{hospital}", [path])
    path.unlink()
    (study,) = source.studies()
    (document,) = filter(readers.is_annotation, source.instances(study))
    assert readers.read(source.read(document)) == [whole, other]


def test_an_xml_file_says_the_same(hospital: Path, tmp_path: Path) -> None:
    csv, xml = tmp_path / "a.csv", tmp_path / "b.xml"
    csv.write_text(f"{COLUMNS}\n{line()}\n")
    vertices = "".join(f'<vertex x="{x:.3f}" y="{y:.3f}" z="{z:.3f}"/>' for x, y, z in MM)
    xml.write_text(
        '<bookmarks><bookmark accession_number="A1" tool="bidimensional" bookmark="B06" follow_up="F03" '
        f'long_mm="16.0" finding_site="Liver">{vertices}</bookmark></bookmarks>'
    )
    assert bookmarks(hospital, csv)[0] == bookmarks(hospital, xml)[0]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_common_separator_and_order_of_columns(hospital: Path, tmp_path: Path, separator: str) -> None:
    names, values = COLUMNS.upper().split(",")[::-1], line().split(",")[::-1]
    path = tmp_path / "export.csv"
    path.write_text(f"\ufeff{separator.join(names)}\r\n{separator.join(values)}\r\n", encoding="utf-8")
    assert bookmarks(hospital, path)[0][0].points == tuple(map(tuple, MM.round(3)))


@pytest.mark.parametrize(
    ("row", "tool", "reason"),
    [
        (line(tool="line", mm=MM[:2]), Tool.LINE, Reason.NOT_RECIST),
        (line(tool="Arrow", mm=MM[:2]), Tool.ARROW, Reason.NOT_RECIST),
        (line(tool="ellipse"), Tool.ELLIPSE, Reason.NOT_RECIST),
        (line(tool="text", mm=MM[:1]), Tool.TEXT, Reason.NOT_RECIST),
        (line(tool="spline"), Tool.OTHER, Reason.NOT_RECIST),
        (line(mm=MM[:2]), Tool.BIDIMENSIONAL, Reason.NOT_RECIST),
        (line().replace(f"{MM[0, 0]:.3f}", "n/a"), Tool.BIDIMENSIONAL, Reason.NOT_RECIST),
    ],
)
def test_other_rows_are_kept_with_their_reason(
    hospital: Path, tmp_path: Path, row: str, tool: Tool, reason: Reason
) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"{COLUMNS}\n{row}\n")
    ((bookmark,), _) = bookmarks(hospital, path)
    assert (bookmark.tool, bookmark.reason) == (tool, reason)
    assert bookmark.detail


@pytest.mark.parametrize("stated", ["0", "-16.0", "inf", "n/a"])
def test_a_length_that_no_axis_can_have_counts_as_missing(hospital: Path, tmp_path: Path, stated: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"{COLUMNS}\n{line().replace(',16.0,', f',{stated},')}\n")
    assert bookmarks(hospital, path)[0][0].long_mm is None


def test_rows_keep_their_identity_when_the_export_grows(hospital: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"{COLUMNS}\n{line()}\n{line()}\n")
    before = [(each.report, each.item) for each in bookmarks(hospital, path)[0]]
    other = tmp_path / "next year.csv"
    other.write_text(f"{COLUMNS}\n{line(rest='B07,')}\n{line()}\n{line()}\n")
    after = [(each.report, each.item) for each in bookmarks(hospital, other)[0]]
    assert len(set(before)) == 2
    assert set(before) < set(after)


def test_without_frame_of_reference_the_series_must_share_one_or_be_named(tmp_path: Path) -> None:
    elsewhere = [
        ct(z=z, SeriesInstanceUID="1.2.3.1.2", SOPInstanceUID=f"1.8.{z}", FrameOfReferenceUID="1.2.3.8")
        for z in (0, 5)
    ]
    images = StudyImages(facts(*ct_series(), *elsewhere))
    found, _ = _of_rows(tmp_path, COLUMNS, line())
    refused = resolve(found[0], images)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.UNSUPPORTED_OBJECT
    for column, name in (
        ("series_instance_uid", "1.2.3.1.2"),
        ("sop_instance_uid", "1.8.5"),
        ("frame_of_reference_uid", "1.2.3.8"),
    ):
        (bookmark,), _ = _of_rows(tmp_path, f"{COLUMNS},{column}", f"{line()},{name}")
        placed = resolve(bookmark, images)
        assert isinstance(placed, Measurement)
        assert placed.instance.SOPInstanceUID == "1.8.5"


def _of_rows(tmp_path: Path, *lines: str) -> tuple[list[Bookmark], StudyImages]:
    folder, path = tmp_path / "one", tmp_path / "rows.csv"
    save(ct(), folder / "0.dcm")
    path.write_text("\n".join(lines))
    return bookmarks(folder, path)


def test_an_export_goes_with_a_pacs(orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    slices = own_study()
    store(orthanc, *slices)
    path = tmp_path / "export.csv"
    accession = slices[0].AccessionNumber
    path.write_text(f"{COLUMNS}\n{line(accession=accession)}\n")
    source = open_source(web(orthanc), [path])
    study = listed(source, slices[0].StudyInstanceUID, Query(accession_numbers=frozenset([accession])))
    instances = source.instances(study)
    (document,) = filter(readers.is_annotation, instances)
    found = resolve(readers.read(source.read(document))[0], StudyImages(instances))
    assert isinstance(found, Measurement)
    assert found.instance.SOPInstanceUID == slices[1].SOPInstanceUID
    assert len(list(source.read_all([each for each in instances if each.Rows]))) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"name,age\nAnna,3\n", "does not name the columns"), (b"\x00" * 50, r"\w+ \w+"), (b"<other/>", "root")],
)
def test_a_file_of_another_kind_is_refused_by_name(hospital: Path, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    with pytest.raises(SourceNotFound, match=words) as caught:
        open_source(f"dir://{hospital}", [path])
    assert "Anna" not in str(caught.value)


def test_rows_without_accession_number_are_a_problem_beside_the_others(hospital: Path) -> None:
    (hospital / "bookmarks.csv").write_text(f"{COLUMNS}\n{line(accession='')}\n{line()}\n")
    source = open_source(f"dir://{hospital}")
    (study,) = source.studies()
    assert len(list(filter(readers.is_annotation, source.instances(study)))) == 1
    assert [problem.place for problem in source.problems] == ["bookmarks.csv"]
