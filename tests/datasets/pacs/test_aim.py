"""AIM 3 and AIM 4 documents become bookmarks, from files and from a PACS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from numpy.testing import assert_allclose
from pydicom.dataset import Dataset

from datasets.pacs import readers
from datasets.pacs.addresses import open_source
from datasets.pacs.placing import StudyImages
from datasets.pacs.readers import Bookmark, Carrier, Code, Reason, Tool
from datasets.pacs.readers.document import ENCAPSULATED_XML
from datasets.pacs.resolve import Measurement, resolve
from datasets.pacs.source import Unreadable
from tests.datasets.pacs.archive import found as listed
from tests.datasets.pacs.archive import own_study, store, web
from tests.datasets.pacs.dicom_files import STUDY, ct_series, report, save
from tests.peers.orthanc import Orthanc

IMAGE = "1.2.3.1.1.1050"
LONG, SHORT = [(10.5, 20.5), (30.5, 20.5)], [(20.5, 12.5), (20.5, 28.5)]
Points = Sequence[tuple[float, float]]


def aim3(*shapes: tuple[str, Points], image: str = IMAGE, study: str = STUDY, length: str = "Long Axis") -> bytes:
    """As the AIM Toolkit 3 writes it: values are attributes."""
    drawn = "".join(
        f'<GeometricShape cagridId="0" includeFlag="true" xsi:type="{kind}"><spatialCoordinateCollection>'
        + "".join(
            f'<SpatialCoordinate coordinateIndex="{index}" imageReferenceUID="{image}" referencedFrameNumber="0" '
            f'x="{x}" xsi:type="TwoDimensionSpatialCoordinate" y="{y}"/>'
            for index, (x, y) in reversed(list(enumerate(points)))
        )
        + "</spatialCoordinateCollection></GeometricShape>"
        for kind, points in shapes
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ImageAnnotation xmlns="gme://caCORE.caCORE/3.2/edu.northwestern.radiology.AIM" aimVersion="3.0" name="B06 F03"
    uniqueIdentifier="1.2.9.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <calculationCollection><Calculation codeMeaning="{length}" codeValue="" codingSchemeDesignator="">
    <calculationResultCollection><CalculationResult unitOfMeasure="cm"><calculationDataCollection>
      <CalculationData value="1.6"/></calculationDataCollection></CalculationResult></calculationResultCollection>
  </Calculation></calculationCollection>
  <anatomicEntityCollection><AnatomicEntity codeMeaning="Liver" codeValue="10200004" codingSchemeDesignator="SCT"/>
  </anatomicEntityCollection>
  <imageReferenceCollection><ImageReference xsi:type="DICOMImageReference"><imageStudy>
    <ImageStudy instanceUID="{study}">
    <imageSeries><ImageSeries instanceUID="1.2.3.1.1"><imageCollection><Image sopInstanceUID="{image}"/>
    </imageCollection></ImageSeries></imageSeries></ImageStudy></imageStudy></ImageReference></imageReferenceCollection>
  <geometricShapeCollection>{drawn}</geometricShapeCollection>
  <person><Person name="Nobody^Anna"/></person>
</ImageAnnotation>""".encode()


def annotation4(*shapes: tuple[str, Points], image: str = IMAGE, study: str = STUDY) -> str:
    drawn = "".join(
        f'<MarkupEntity xsi:type="{kind}"><imageReferenceUid root="{image}"/><referencedFrameNumber value="1"/>'
        "<twoDimensionSpatialCoordinateCollection>"
        + "".join(
            f'<TwoDimensionSpatialCoordinate><coordinateIndex value="{index}"/><x value="{x}"/><y value="{y}"/>'
            "</TwoDimensionSpatialCoordinate>"
            for index, (x, y) in enumerate(points)
        )
        + "</twoDimensionSpatialCoordinateCollection></MarkupEntity>"
        for kind, points in shapes
    )
    lengths = "".join(
        f'<CalculationEntity><typeCode code="{code}" codeSystemName="SRT"><iso:displayName value="{name}"/></typeCode>'
        '<calculationResultCollection><CalculationResult xsi:type="ExtendedCalculationResult">'
        '<unitOfMeasure value="mm"/><calculationDataCollection><CalculationData>'
        f'<value value="{value}"/></CalculationData></calculationDataCollection></CalculationResult>'
        "</calculationResultCollection></CalculationEntity>"
        for code, name, value in (("G-A185", "LongAxis", 16), ("G-A186", "ShortAxis", 12.8))
    )
    return f"""<ImageAnnotation><uniqueIdentifier root="1.2.9.2"/><name value="Lesion 1"/>
      <trackingUniqueIdentifier root="1.2.9.3"/>
      <calculationEntityCollection>{lengths}</calculationEntityCollection>
      <imagingPhysicalEntityCollection><ImagingPhysicalEntity><typeCode code="T-28000" codeSystemName="SRT">
        <iso:displayName value="Lung"/></typeCode></ImagingPhysicalEntity></imagingPhysicalEntityCollection>
      <imageReferenceEntityCollection><ImageReferenceEntity><imageStudy><instanceUid root="{study}"/>
        <imageSeries><instanceUid root="1.2.3.1.1"/></imageSeries></imageStudy></ImageReferenceEntity>
      </imageReferenceEntityCollection>
      <markupEntityCollection>{drawn}</markupEntityCollection></ImageAnnotation>"""


def aim4(*annotations: str) -> bytes:
    """As ePAD writes it: values are children."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ImageAnnotationCollection xmlns="gme://caCORE.caCORE/4.4/edu.northwestern.radiology.AIM" xmlns:iso="uri:iso.org:21090"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" aimVersion="AIMv4_0">
  <uniqueIdentifier root="1.2.9.4"/><imageAnnotations>{"".join(annotations)}</imageAnnotations>
</ImageAnnotationCollection>""".encode()


def read(document: bytes, study: str = STUDY) -> list[Bookmark]:
    """Read a document as a PACS gives it."""
    dataset = report(SOPClassUID=ENCAPSULATED_XML, StudyInstanceUID=study, Modality="DOC")
    del dataset.ContentSequence
    dataset.EncapsulatedDocument = document + b" " * (len(document) % 2)
    return readers.read(dataset)


MULTI = "TwoDimensionMultiPoint"


@pytest.mark.parametrize(
    ("document", "lengths", "site"),
    [
        (aim3(("Polyline", LONG), ("Polyline", SHORT)), (16, None), Code("SCT", "10200004", "Liver")),
        (aim3(("MultiPoint", SHORT), ("MultiPoint", LONG)), (16, None), Code("SCT", "10200004", "Liver")),
        (aim4(annotation4((MULTI, LONG), (MULTI, SHORT))), (16, 12.8), Code("SRT", "T-28000", "Lung")),
        (aim4(annotation4((MULTI, LONG + SHORT))), (16, 12.8), Code("SRT", "T-28000", "Lung")),
    ],
)
def test_two_lines_are_a_bidimensional_measurement(
    document: bytes, lengths: tuple[float | None, float | None], site: Code
) -> None:
    (bookmark,) = read(document)
    assert (bookmark.tool, bookmark.carrier, bookmark.reason) == (Tool.BIDIMENSIONAL, Carrier.AIM, None)
    assert (bookmark.image, bookmark.frame, bookmark.site) == (IMAGE, 1, site)
    assert (bookmark.long_mm, bookmark.short_mm) == lengths
    assert set(bookmark.points[:2]) == {(10, 20), (30, 20)}
    assert set(bookmark.points[2:]) == {(20, 12), (20, 28)}


def test_tracking_is_kept_and_no_number_taken_from_a_name() -> None:
    (old,), (new,) = (
        read(aim3(("Polyline", LONG), ("Polyline", SHORT))),
        read(aim4(annotation4((MULTI, LONG + SHORT)))),
    )
    assert (old.label, old.follow_up, old.tracking_uid) == ("", "", "")
    assert (new.label, new.follow_up, new.tracking_uid) == ("", "", "1.2.9.3")


@pytest.mark.parametrize(
    ("kind", "points", "tool"),
    [
        ("Polyline", LONG, Tool.LINE),
        ("Polyline", [*LONG, *SHORT, (1, 1)], Tool.OTHER),
        ("Circle", LONG, Tool.ELLIPSE),
        ("Ellipse", LONG + SHORT, Tool.ELLIPSE),
        ("Point", LONG[:1], Tool.OTHER),
    ],
)
def test_other_marks_are_named_and_are_not_recist(kind: str, points: Points, tool: Tool) -> None:
    for document in (aim3((kind, points), length="Length"), aim4(annotation4((f"TwoDimension{kind}", points)))):
        (bookmark,) = read(document)
        assert (bookmark.tool, bookmark.reason) == (tool, Reason.NOT_RECIST)


def test_an_outline_of_four_points_is_no_pair_of_lines() -> None:
    (bookmark,) = read(aim3(("Polyline", LONG + SHORT), length="Area"))
    assert (bookmark.tool, bookmark.reason) == (Tool.OTHER, Reason.NOT_RECIST)


def test_annotations_of_another_study_are_left_to_it() -> None:
    document = aim4(annotation4((MULTI, LONG + SHORT)), annotation4((MULTI, LONG), study="1.9", image="1.9.1"))
    assert [each.image for each in read(document)] == [IMAGE]
    assert [each.image for each in read(document, study="1.9")] == ["1.9.1"]


@pytest.mark.parametrize("stated", ["0", "-1.6", "1e308"])
def test_a_length_that_no_axis_can_have_counts_as_missing(stated: str) -> None:
    document = aim3((MULTI, LONG + SHORT)).replace(b'value="1.6"', f'value="{stated}"'.encode())
    assert [each.long_mm for each in read(document)] == [None]


def test_annotations_keep_their_identity_when_the_document_grows_at_its_beginning() -> None:
    old, new = annotation4((MULTI, LONG + SHORT)), annotation4((MULTI, SHORT + LONG))
    (before,), after = read(aim4(old)), read(aim4(new, old.replace("\n", "\n  "), old))
    assert before.item == after[1].item
    assert len({each.item for each in after}) == 3


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<ClinicalDocument/>",
        b"<ImageAnnotation",
        b'<!DOCTYPE x [<!ENTITY a "b">]><ImageAnnotation/>',
        b"\x00\x01\x02",
    ],
)
def test_documents_of_other_kinds_are_unsupported(document: bytes) -> None:
    (bookmark,) = read(document)
    assert bookmark.reason is Reason.UNSUPPORTED_OBJECT


def test_an_annotation_that_draws_nothing_is_kept_with_its_reason() -> None:
    (bookmark,) = read(aim3())
    assert bookmark.reason is Reason.NOT_RECIST


def test_files_beside_the_images_join_their_study(tmp_path: Path) -> None:
    slices = ct_series()
    for number, slice_ in enumerate(slices):
        save(slice_, tmp_path / f"{number}.dcm")
    (tmp_path / "mark.XML").write_bytes(aim4(annotation4((MULTI, LONG), (MULTI, SHORT))))
    (tmp_path / "other.xml").write_bytes(b"<settings/>")
    source = open_source(f"dir://{tmp_path}")
    (study,) = source.studies()
    instances = source.instances(study)
    (document,) = filter(readers.is_annotation, instances)
    (bookmark,) = readers.read(source.read(document))
    resolved = resolve(bookmark, StudyImages(instances))
    assert isinstance(resolved, Measurement)
    assert_allclose(resolved.points, [(10, 20), (30, 20), (20, 12), (20, 28)])
    assert [problem.place for problem in source.problems] == ["other.xml"]
    # Known again wherever the file lies.
    (tmp_path / "mark.XML").rename(tmp_path / "moved.xml")
    again = open_source(f"dir://{tmp_path}")
    (study,) = again.studies()
    assert [each.SOPInstanceUID for each in again.instances(study)] == [each.SOPInstanceUID for each in instances]
    with pytest.raises(Unreadable):
        source.read(document)


def test_a_document_that_a_pacs_stores_is_read(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    slices = own_study()
    study, image = slices[0].StudyInstanceUID, slices[1].SOPInstanceUID
    stored = report(
        SOPClassUID=ENCAPSULATED_XML, StudyInstanceUID=study, SOPInstanceUID=f"{study}.9", Modality="DOC",
        EncapsulatedDocument=aim4(annotation4((MULTI, LONG + SHORT), image=image, study=study)) + b" ",
    )  # fmt: skip
    del stored.ContentSequence
    store(orthanc, *slices, stored)
    source = open_source(web(orthanc))
    instances = source.instances(listed(source, study))
    (document,) = filter(readers.is_annotation, instances)
    (bookmark,) = readers.read(source.read(document))
    assert isinstance(resolve(bookmark, StudyImages(instances)), Measurement)


def test_a_damaged_dataset_is_no_exception() -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = ENCAPSULATED_XML, "1.2"
    assert readers.read(dataset)[0].reason is Reason.UNSUPPORTED_OBJECT
