"""Reports written by highdicom, with every template part that it knows, are read in full."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.sr import (
    CodedConcept,
    Comprehensive3DSR,
    ComprehensiveSR,
    CoordinatesForMeasurement,
    CoordinatesForMeasurement3D,
    FindingSite,
    GraphicTypeValues,
    GraphicTypeValues3D,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurement,
    SourceImageForRegion,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from datasets.pacs import readers
from datasets.pacs.placing import StudyImages
from datasets.pacs.readers import Code, Reason, Tool
from datasets.pacs.resolve import Measurement as Resolved
from datasets.pacs.resolve import resolve
from datasets.pacs.types import coarse_type
from tests.datasets.pacs.dicom_files import FRAME, ct_series, facts

POINTS = np.array([[10, 20], [30, 20], [20, 12], [20, 28]], dtype=float)
LONG = CodedConcept("103339001", "SCT", "Long axis")
SHORT = CodedConcept("103340004", "SCT", "Short axis")
TRACKING_UID = "1.2.826.0.1.3680043.8.498.7"


def slices() -> list[Dataset]:
    made = ct_series(3)
    for slice_ in made:
        slice_.PatientBirthDate, slice_.StudyTime, slice_.StudyID, slice_.ReferringPhysicianName = "", "", "", ""
        slice_.SeriesNumber = 1
    return made


def written(
    group: object, evidence: list[Dataset], kind: type[ComprehensiveSR | Comprehensive3DSR], path: Path
) -> Dataset:
    observer = ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name="Reader^One"),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_person_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = kind(
        evidence=evidence,
        content=content,
        series_number=9,
        series_instance_uid="1.2.3.1.9",
        sop_instance_uid="1.2.3.1.9.1",
        instance_number=1,
        manufacturer="none",
    )
    report.save_as(path)
    return pydicom.dcmread(path)


def axis(name: CodedConcept, value: float, points: np.ndarray, image: Dataset) -> Measurement:
    drawn = CoordinatesForMeasurement(
        graphic_type=GraphicTypeValues.POLYLINE,
        graphic_data=points + 0.5,
        source_image=SourceImageForMeasurement.from_source_image(image),
    )
    return Measurement(name=name, value=value, unit=codes.UCUM.Millimeter, referenced_coordinates=[drawn])


def group_of(measurements: list[Measurement]) -> MeasurementsAndQualitativeEvaluations:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=TRACKING_UID, identifier="B06 F03"),
        measurements=measurements,
        finding_type=codes.SCT.Mass,
        finding_sites=[FindingSite(CodedConcept("10200004", "SCT", "Liver"))],
    )


def test_a_bidimensional_measurement_arrives_whole(tmp_path: Path) -> None:
    evidence = slices()
    group = group_of([axis(LONG, 16, POINTS[:2], evidence[1]), axis(SHORT, 12.8, POINTS[2:], evidence[1])])
    (bookmark,) = readers.read(written(group, evidence, ComprehensiveSR, tmp_path / "sr.dcm"))
    assert (bookmark.tool, bookmark.reason) == (Tool.BIDIMENSIONAL, None)
    assert bookmark.points == tuple(map(tuple, POINTS))
    assert (bookmark.label, bookmark.follow_up, bookmark.tracking_uid) == ("B06", "F03", TRACKING_UID)
    assert bookmark.site == Code("SCT", "10200004", "Liver")
    assert coarse_type(bookmark.site, bookmark.finding) == 4
    found = resolve(bookmark, StudyImages(facts(*evidence)))
    assert isinstance(found, Resolved)
    assert found.instance.SOPInstanceUID == evidence[1].SOPInstanceUID
    assert not found.flags


def test_millimetre_coordinates_arrive_whole(tmp_path: Path) -> None:
    evidence = slices()

    def axis_3d(name: CodedConcept, points: np.ndarray) -> Measurement:
        placed = np.column_stack([points * 0.8 + [-20, -30], np.full(2, 5.0)])
        drawn = CoordinatesForMeasurement3D(GraphicTypeValues3D.POLYLINE, placed, frame_of_reference_uid=FRAME)
        return Measurement(name=name, value=1, unit=codes.UCUM.Millimeter, referenced_coordinates=[drawn])

    group = group_of([axis_3d(LONG, POINTS[:2]), axis_3d(SHORT, POINTS[2:])])
    (bookmark,) = readers.read(written(group, evidence, Comprehensive3DSR, tmp_path / "sr.dcm"))
    found = resolve(bookmark, StudyImages(facts(*evidence)))
    assert isinstance(found, Resolved)
    assert found.instance.SOPInstanceUID == evidence[1].SOPInstanceUID
    np.testing.assert_allclose(found.points, POINTS, atol=1e-6)


def test_a_length_alone_is_a_line(tmp_path: Path) -> None:
    evidence = slices()
    group = group_of([axis(CodedConcept.from_code(codes.SCT.Length), 16, POINTS[:2], evidence[1])])
    (bookmark,) = readers.read(written(group, evidence, ComprehensiveSR, tmp_path / "sr.dcm"))
    assert (bookmark.tool, bookmark.reason, bookmark.image) == (
        Tool.LINE, Reason.NOT_RECIST, evidence[1].SOPInstanceUID,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("graphic", "points", "tool"),
    [
        (GraphicTypeValues.ELLIPSE, [[10, 20], [30, 20], [20, 12], [20, 28]], Tool.ELLIPSE),
        (GraphicTypeValues.CIRCLE, [[10, 20], [30, 20]], Tool.ELLIPSE),
        (GraphicTypeValues.POLYLINE, [[10, 20], [30, 20]], Tool.ARROW),
        (GraphicTypeValues.POLYLINE, [[1, 1], [9, 1], [9, 9], [1, 1]], Tool.OTHER),
    ],
)
def test_a_region_is_no_recist_measurement(
    graphic: GraphicTypeValues, points: list[list[float]], tool: Tool, tmp_path: Path
) -> None:
    evidence = slices()
    region = ImageRegion(graphic, np.array(points, dtype=float), SourceImageForRegion.from_source_image(evidence[0]))
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=TRACKING_UID, identifier="roi"), referenced_region=region
    )
    (bookmark,) = readers.read(written(group, evidence, ComprehensiveSR, tmp_path / "sr.dcm"))
    assert (bookmark.tool, bookmark.reason, bookmark.image) == (tool, Reason.NOT_RECIST, evidence[0].SOPInstanceUID)


def test_a_volumetric_report_gives_no_lesion_and_a_reason(tmp_path: Path) -> None:
    evidence = slices()
    outline = np.array([[10, 20], [30, 20], [20, 28], [10, 20]], dtype=float)
    regions = [
        ImageRegion(GraphicTypeValues.POLYLINE, outline, SourceImageForRegion.from_source_image(each))
        for each in evidence[:2]
    ]
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=TRACKING_UID, identifier="volume"),
        referenced_regions=regions,
        measurements=[Measurement(name=codes.SCT.Volume, value=1, unit=codes.UCUM.CubicMillimeter)],
    )
    (bookmark,) = readers.read(written(group, evidence, ComprehensiveSR, tmp_path / "sr.dcm"))
    assert bookmark.reason is Reason.NOT_RECIST
    assert bookmark.detail
    assert not isinstance(resolve(bookmark, StudyImages(facts(*evidence))), Resolved)
