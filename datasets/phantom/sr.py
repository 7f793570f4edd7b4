"""The readers' reports: Comprehensive SR, TID 1500, one per reader and study.

A RECIST bookmark is a TID 1501 group with two NUM items, Long Axis and Short Axis, each inferred from an SCOORD
POLYLINE of two points selected from the image. A line is one NUM Length. Ellipse, arrow and text are TID 1410 groups
without a NUM: ELLIPSE, POLYLINE of two points (tail, head), and POINT with a comment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom.sr as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from datasets.geometry import recist
from datasets.phantom import people
from datasets.phantom.codes import Code as Pair
from datasets.phantom.seeds import uid

Array = NDArray[np.float64]

LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
LENGTH = Code("410668003", "SCT", "Length")
MM = Code("mm", "UCUM", "millimeter")
HALF_PIXEL = 0.5
"""SCOORD counts from the corner of the first pixel, the phantom from its centre."""


@dataclass(frozen=True)
class Item:
    """One bookmark on one image, ready to be written."""

    image: Dataset
    tool: str
    points: Array
    """(N, 2) pixels, 0-based, centres at integers."""
    spacing: float
    tracking_uid: str
    label: str
    finding: Pair
    place: Pair | None
    note: str


def report(items: Sequence[Item], *, seed: int, names: tuple[object, ...], reader: str, number: int) -> Dataset:
    """Build one report.

    Parameters
    ----------
    items : at least one; images of one study.
    seed, names : decide the UIDs.
    reader : the observer, a DICOM person name.
    number : tells this report's series from the study's others.
    """
    evidence = list({item.image.SOPInstanceUID: item.image for item in items}.values())
    person = hd.ObserverContext(
        observer_type=dictionary.DCM.Person,
        observer_identifying_attributes=hd.PersonObserverIdentifyingAttributes(
            name=reader, organization_name=people.HOSPITAL
        ),
    )
    first = items[0].image
    content = hd.MeasurementReport(
        observation_context=hd.ObservationContext(observer_person_context=person),
        procedure_reported=Code("77477000", "SCT", "Computed tomography")
        if first.Modality == "CT"
        else Code("363679005", "SCT", "Imaging procedure"),
        imaging_measurements=[_group(item) for item in items],
        title=dictionary.DCM.ImagingMeasurementReport,
    )
    result = hd.ComprehensiveSR(
        evidence=evidence,
        content=content,
        series_instance_uid=uid(seed, "sr series", *names),
        series_number=900 + number,
        sop_instance_uid=uid(seed, "sr", *names),
        instance_number=1,
        manufacturer="Phantom Imaging",
        is_complete=True,
        is_final=True,
        institution_name=people.HOSPITAL,
    )
    result.SeriesDescription = "Measurements"
    result.IssuerOfPatientID = people.ISSUER
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        setattr(result, keyword, first.StudyDate)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        setattr(result, keyword, first.StudyTime)
    return result


def _group(item: Item) -> hd.MeasurementsAndQualitativeEvaluations | hd.PlanarROIMeasurementsAndQualitativeEvaluations:
    tracking = hd.TrackingIdentifier(uid=item.tracking_uid, identifier=item.label)
    finding = Code(item.finding[0], "SCT", item.finding[1])
    sites = [hd.FindingSite(Code(item.place[0], "SCT", item.place[1]))] if item.place else None
    if item.tool in ("recist", "line"):
        names = (LONG_AXIS, SHORT_AXIS) if item.tool == "recist" else (LENGTH,)
        measurements = [
            _length(item, name, item.points[2 * order : 2 * order + 2]) for order, name in enumerate(names)
        ]
        return hd.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking, finding_type=finding, finding_sites=sites, measurements=measurements
        )
    graphic = {"arrow": "POLYLINE", "ellipse": "ELLIPSE", "text": "POINT"}[item.tool]
    region = hd.ImageRegion(
        graphic_type=graphic, graphic_data=item.points + HALF_PIXEL, source_image=_source(item.image)
    )
    group = hd.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking, referenced_region=region, finding_type=finding, finding_sites=sites
    )
    if item.note:
        comment = hd.TextContentItem(
            name=dictionary.DCM.Comment, value=item.note, relationship_type=hd.RelationshipTypeValues.CONTAINS
        )
        group[0].ContentSequence.append(comment)
    return group


def _length(item: Item, name: Code, points: Array) -> hd.Measurement:
    source = _source(item.image)
    length = float(np.linalg.norm(recist.axes(points)) * item.spacing)
    line = hd.CoordinatesForMeasurement(graphic_type="POLYLINE", graphic_data=points + HALF_PIXEL, source_image=source)
    return hd.Measurement(name=name, value=round(length, 4), unit=MM, referenced_coordinates=[line])


def _source(image: Dataset) -> hd.SourceImageForRegion:
    return hd.SourceImageForRegion(
        referenced_sop_class_uid=image.SOPClassUID, referenced_sop_instance_uid=image.SOPInstanceUID
    )
