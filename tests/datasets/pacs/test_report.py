"""Structured reports become bookmarks, whatever viewer wrote them and whatever they lack."""

import math
from collections import Counter
from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import BasicTextSRStorage, RTStructureSetStorage, SpatialFiducialsStorage

from datasets.pacs import readers
from datasets.pacs.instance import value_of
from datasets.pacs.readers import Carrier, Code, Reason, Tool
from datasets.pacs.readers.content import Concept
from tests.datasets.pacs import dicom_files as dicom
from tests.datasets.pacs.dicom_files import axis, bidimensional, code, content, identifier, image, report, text

IMAGE = "1.2.3.1.1.1000"


def only(dataset: Dataset) -> readers.Bookmark:
    stored = BytesIO()
    pydicom.dcmwrite(stored, dataset, enforce_file_format=True)
    (bookmark,) = readers.read(pydicom.dcmread(BytesIO(stored.getvalue())))
    return bookmark


def test_scoord_origin_is_the_pixel_corner() -> None:
    bookmark = only(report(bidimensional(IMAGE)))
    assert bookmark.points == ((10, 20), (30, 20), (20, 12), (20, 28))
    assert (bookmark.tool, bookmark.carrier, bookmark.image) == (Tool.BIDIMENSIONAL, Carrier.SR, IMAGE)
    assert (bookmark.long_mm, bookmark.short_mm, bookmark.reason) == (16, 12.8, None)


@pytest.mark.parametrize(
    ("long", "short"),
    [
        (code("103339001", "SCT", "Long Axis"), code("103340004", "SCT", "Short Axis")),
        (code("G-A185", "SNM3", ""), code("G-A186", "SNM3", "")),
        (code("131187009", "SCT", "Major Axis"), code("131188004", "SCT", "Minor Axis")),
        (code("1", "99LOCAL", "LONG AXIS"), code("2", "99LOCAL", "Short axis")),
    ],
)
def test_axes_are_known_by_code_old_code_or_meaning(long: Items, short: Items) -> None:
    group = content("CONTAINER", None, axis(long, dicom.CROSS[0], IMAGE), axis(short, dicom.CROSS[1], IMAGE))
    assert only(report(group)).reason is None


def test_a_missing_number_does_not_cost_the_measurement() -> None:
    bookmark = only(report(bidimensional(IMAGE, long_mm=None)))
    assert (bookmark.long_mm, bookmark.short_mm, bookmark.reason) == (None, 12.8, None)


@pytest.mark.parametrize("stated", [math.inf, -math.inf, math.nan, 0.0, -16.0, 1e308])
def test_a_length_that_no_axis_can_have_counts_as_missing(stated: float) -> None:
    bookmark = only(report(bidimensional(IMAGE, long_mm=stated, unit="cm")))
    assert (bookmark.long_mm, bookmark.reason) == (None, None)


def test_an_item_without_name_does_not_cost_the_report() -> None:
    assert only(report(bidimensional(IMAGE, content("TEXT", None, TextValue="loose")))).reason is None


@pytest.mark.parametrize(("unit", "millimetres"), [("cm", 160), ("1", 16), ("px", 16), ("mm", 16)])
def test_only_plausible_units_are_believed(unit: str, millimetres: float) -> None:
    assert only(report(bidimensional(IMAGE, unit=unit))).long_mm == millimetres


def test_scoord3d_stays_in_millimetres() -> None:
    long, short = (1.0, 2, 3, 11, 2, 3), (6.0, -2, 3, 6, 6, 3)
    bookmark = only(report(bidimensional("", long=long, short=short)))
    assert bookmark.in_mm
    assert bookmark.points == ((1, 2, 3), (11, 2, 3), (6, -2, 3), (6, 6, 3))
    assert (bookmark.frame_of_reference, bookmark.image) == (dicom.FRAME, "")


def test_both_axes_may_be_drawn_beside_their_numbers() -> None:
    lines = [content("SCOORD", None, image(IMAGE), GraphicType="POLYLINE", GraphicData=list(p)) for p in dicom.CROSS]
    group = content("CONTAINER", dicom.GROUP, *lines, content("NUM", dicom.LONG), content("NUM", dicom.SHORT))
    assert only(report(group)).points == ((10, 20), (30, 20), (20, 12), (20, 28))


def test_an_image_may_be_named_by_its_place_in_the_tree() -> None:
    by_reference = Dataset()
    by_reference.RelationshipType = "SELECTED FROM"
    by_reference.ReferencedContentItemIdentifier = [1, 1, 1, 1]
    group = bidimensional("", image(IMAGE))
    for number in group.ContentSequence[1:]:
        number.ContentSequence[0].ContentSequence = Items([by_reference])
    assert only(report(group)).image == IMAGE


def test_axes_on_two_images_are_no_recist_measurement() -> None:
    group = bidimensional(IMAGE)
    group.ContentSequence[1] = axis(dicom.SHORT, dicom.CROSS[1], "1.2.3.4")
    assert only(report(group)).reason is Reason.NOT_RECIST


def test_a_report_that_refers_to_nothing_still_gives_its_bookmark() -> None:
    bookmark = only(report(bidimensional("")))
    assert (bookmark.image, bookmark.reason) == ("", None)


def test_several_lesions_in_one_container_are_told_apart() -> None:
    found = readers.read(report(bidimensional(IMAGE), bidimensional(IMAGE, long=(1, 1, 9, 1), short=(5, 0, 5, 3))))
    assert [bookmark.item for bookmark in found] == ["1.1.1.1", "1.1.2.1"]
    assert found[1].points[0] == (0.5, 0.5)


def test_a_group_of_many_axes_takes_time_by_their_number_not_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = Counter[int]()
    count = 0

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def called(*arguments: object) -> object:
            looked_up[count] += 1
            return function(*arguments)

        return called

    monkeypatch.setattr(readers.report, "value_of", counted(value_of))
    monkeypatch.setattr(Concept, "names", counted(Concept.names))
    for count in (20, 80):
        axes = [axis(name, points, None) for name, points in zip((dicom.LONG, dicom.SHORT), dicom.CROSS, strict=True)]
        group = content("CONTAINER", dicom.GROUP, *axes * count)
        assert len(readers.read(report(group))) == count
    assert looked_up[80] < 5 * looked_up[20]


def test_a_lone_axis_is_no_recist_measurement() -> None:
    group = content("CONTAINER", dicom.GROUP, axis(dicom.LONG, dicom.CROSS[0], IMAGE))
    assert only(report(group)).reason is Reason.NOT_RECIST


OHIF = "Cornerstone3DTools@^0.1.0:"


@pytest.mark.parametrize(
    ("tool", "children"),
    [
        (Tool.LINE, [axis(code("G-D7FE", "SRT", "Length"), dicom.CROSS[0], IMAGE)]),
        (Tool.ARROW, [identifier(OHIF + "ArrowAnnotate")]),
        (Tool.ELLIPSE, [identifier(OHIF + "EllipticalROI")]),
        (Tool.OTHER, [identifier(OHIF + "Angle")]),
        (
            Tool.ELLIPSE,
            [content("SCOORD", None, image(IMAGE), GraphicType="ELLIPSE", GraphicData=[1, 5, 9, 5, 5, 3, 5, 7])],
        ),
        (Tool.TEXT, [text(code("121071", "DCM", "Finding"), "a cyst?")]),
        (Tool.SEGMENTATION, [content("IMAGE", code("121191", "DCM", "Referenced Segment"))]),
        (
            Tool.SEGMENTATION,
            [
                content("IMAGE", code("121191", "DCM", "Referenced Segment")),
                content("NUM", code("131187009", "SCT", "Major Axis")),
            ],
        ),
    ],
)
def test_other_marks_are_named_and_are_not_recist(tool: Tool, children: list[Dataset]) -> None:
    bookmark = only(report(content("CONTAINER", dicom.GROUP, *children)))
    assert (bookmark.tool, bookmark.reason) == (tool, Reason.NOT_RECIST)


def test_a_length_with_its_coordinates_at_group_level_is_a_line() -> None:
    line = content("SCOORD", None, image(IMAGE), GraphicType="POLYLINE", GraphicData=list(dicom.CROSS[0]))
    bookmark = only(report(content("CONTAINER", None, line, content("NUM", code("410668003", "SCT", "Length")))))
    assert (bookmark.tool, bookmark.points, bookmark.image) == (Tool.LINE, ((10, 20), (30, 20)), IMAGE)


def test_bookmark_and_follow_up_numbers_come_from_the_identifier() -> None:
    group = bidimensional(IMAGE, identifier("B06 F03"), content("UIDREF", code("112040", "DCM", ""), UID="1.2.9"))
    bookmark = only(report(group))
    assert (bookmark.label, bookmark.follow_up, bookmark.tracking_uid) == ("B06", "F03", "1.2.9")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Lesion 1", "lesion 1"),
        ("TARGET  Lesion 02", "target lesion 2"),
        ("T2", "t2"),
        ("B06", ""),
        ("F03", ""),
        ("Lesion", ""),
        ("F4711 Smith", ""),
        ("Measurement 2015", ""),
        ("OHIF:Bidirectional", ""),
    ],
)
def test_a_name_with_a_number_is_the_lesions_own(words: str, name: str) -> None:
    assert only(report(bidimensional(IMAGE, identifier(words)))).name == name


def test_a_name_that_two_marks_of_a_report_share_is_none() -> None:
    two = readers.read(report(*(bidimensional(IMAGE, identifier(name)) for name in ("Lesion 1", "lesion 1", "T2"))))
    assert [each.name for each in two] == ["", "", "t2"]


@pytest.mark.parametrize("words", ["F4711", "F 60 B 12", "vitamin B12", "F4711 Smith, ward B 1204", "B06 F4711"])
def test_no_number_comes_from_free_text(words: str) -> None:
    for said in (text(code("121106", "DCM", "Comment"), words), identifier(words)):
        bookmark = only(report(bidimensional(IMAGE, said)))
        assert (bookmark.label, bookmark.follow_up) == ("", "")


def test_no_number_comes_from_a_comment_however_it_looks() -> None:
    bookmark = only(report(bidimensional(IMAGE, text(code("121106", "DCM", "Comment"), "B06 F03"))))
    assert (bookmark.label, bookmark.follow_up) == ("", "")


def test_a_tool_name_links_nothing_over_time() -> None:
    uid = content("UIDREF", code("112040", "DCM", ""), UID="1.2.9")
    assert only(report(bidimensional(IMAGE, identifier(OHIF + "Bidirectional"), uid))).tracking_uid == ""


def test_finding_and_site_are_read_in_either_relationship() -> None:
    finding = content("CODE", code("121071", "DCM", "Finding"), ConceptCodeSequence=code("4147007", "SCT", "Mass"))
    site = content(
        "CODE", code("G-C0E3", "SRT", "Finding Site"), ConceptCodeSequence=code("T-62000", "SRT", "Liver"),
        RelationshipType="HAS CONCEPT MOD",
    )  # fmt: skip
    bookmark = only(report(bidimensional(IMAGE, finding, site)))
    assert bookmark.finding == Code("SCT", "4147007", "Mass")
    assert bookmark.site == Code("SRT", "T-62000", "Liver")


def test_utf8_without_character_set_is_read_as_utf8() -> None:
    site = text(code("363698007", "SCT", "Finding Site"), "Nebenhöhle")
    stored = BytesIO()
    named = report(bidimensional(IMAGE, site), SpecificCharacterSet="ISO_IR 192")
    pydicom.dcmwrite(stored, named, enforce_file_format=True)
    # The same bytes without the element, as dcmjs writes them.
    element = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192"
    assert element in stored.getvalue()
    (bookmark,) = readers.read(pydicom.dcmread(BytesIO(stored.getvalue().replace(element, b""))))
    assert bookmark.site == Code("", "", "Nebenhöhle")


@pytest.mark.parametrize(
    ("sop_class", "modality", "carrier"),
    [
        (BasicTextSRStorage, "SR", Carrier.SR),
        (RTStructureSetStorage, "RTSTRUCT", Carrier.OTHER),
        (SpatialFiducialsStorage, "FID", Carrier.OTHER),
        ("1.3.12.2.1107.5.9.1", "SR", Carrier.SR),
        ("1.3.46.670589.2.5.1.1", "PR", Carrier.PR),
    ],
)
def test_what_no_reader_understands_is_said_to_be_unsupported(sop_class: str, modality: str, carrier: Carrier) -> None:
    dataset = report(text(code("121071", "DCM", "Finding"), "said in words"), SOPClassUID=sop_class, Modality=modality)
    assert readers.is_annotation(dicom.facts(dataset)[0])
    bookmark = only(dataset)
    assert (bookmark.reason, bookmark.carrier) == (Reason.UNSUPPORTED_OBJECT, carrier)
    read = sop_class == BasicTextSRStorage
    assert readers.unsupported(dicom.facts(dataset)[0]) == (None if read else bookmark)


@pytest.mark.parametrize("suffix", ["50", "65", "69"])
def test_what_a_computer_found_is_no_measurement_of_a_radiologist(suffix: str) -> None:
    bookmark = only(report(bidimensional(IMAGE), SOPClassUID=f"1.2.840.10008.5.1.4.1.1.88.{suffix}"))
    assert (bookmark.reason, bookmark.carrier) == (Reason.UNSUPPORTED_OBJECT, Carrier.SR)
    assert bookmark.detail == "a report of computer-aided detection is not read"


def test_dose_reports_and_images_are_no_annotations() -> None:
    dose = report(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67")
    private = report(SOPClassUID="1.3.12.2.1107.5.9.1", Modality="OT")
    assert not any(map(readers.is_annotation, dicom.facts(dose, private, dicom.ct())))


def test_damaged_values_cost_only_their_item() -> None:
    broken = bidimensional(IMAGE)
    broken.ContentSequence[0].ContentSequence[0].GraphicData = [1, 2, 3]
    first, second = readers.read(report(broken, bidimensional(IMAGE)))
    assert (first.reason, second.reason) == (Reason.NOT_RECIST, None)


def test_endless_nesting_is_cut() -> None:
    item = bidimensional(IMAGE)
    for _ in range(200):
        item = content("CONTAINER", None, item)
    assert readers.read(report(item))[0].reason is Reason.UNSUPPORTED_OBJECT
