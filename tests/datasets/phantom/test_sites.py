"""Lesions sit where lesions of their type occur."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from datasets.phantom import plan, sites
from datasets.phantom.body import measure
from datasets.phantom.canvas import Canvas
from datasets.phantom.plane import axial

PATIENTS = range(1, 17)


class Planned(NamedTuple):
    """One lesion before it is drawn."""

    patient: plan.Patient
    healthy: Canvas
    """A patch at its centre."""
    depth: float
    """Under the inner wall, mm; negative inside."""
    type: int
    place: str
    liver: float
    """Share of liver within about 14 mm of its centre."""


@pytest.fixture(scope="module")
def planned() -> list[Planned]:
    found = []
    for index in PATIENTS:
        patient, anatomy = plan.patient(13, index)
        for lesion in patient.studies[0].lesions:
            canvas = Canvas(axial(lesion.centre, 0.8, 7, 1.0), patient.build.frame, anatomy.warp)
            outside = measure(canvas, patient.build)
            anatomy.paint(canvas, patient.studies[0].phase)
            around = Canvas(axial(lesion.centre, 1.5, 18, 1.0), patient.build.frame, anatomy.warp)
            liver = anatomy.abdomen.liver_share(around, measure(around, patient.build))
            depth = float(np.median(outside.inside - outside.outer))
            found.append(Planned(patient, canvas, depth, lesion.type, lesion.place, liver))
    return found


def test_centres_lie_inside_the_body(planned: list[Planned]) -> None:
    assert max(lesion.depth for lesion in planned) < 0


def test_lung_lesions_lie_in_air_and_liver_lesions_in_the_liver(planned: list[Planned]) -> None:
    lung = [float(np.median(lesion.healthy.hu)) for lesion in planned if lesion.type == sites.LUNG]
    liver = [float(np.median(lesion.healthy.hu)) for lesion in planned if lesion.type == sites.LIVER]
    assert len(lung) > 3
    assert len(liver) > 3
    assert np.mean(np.array(lung) < -600) > 0.8
    assert np.mean((np.array(liver) > 5) & (np.array(liver) < 190)) > 0.8


def test_the_liver_is_around_its_own_lesions_alone(planned: list[Planned]) -> None:
    assert min(lesion.liver for lesion in planned if lesion.type == sites.LIVER) > 0.5
    others = [(lesion.patient.index, lesion.place) for lesion in planned if lesion.liver > 0.5]
    assert [place for _, place in others if place != "liver"] == []


def test_a_scan_of_the_abdomen_has_more_places_for_lymph_nodes_than_for_adrenal_lesions() -> None:
    (region,) = (region for region in plan.REGIONS if region.name == "ABDOMEN")
    low, high = region.low + sites.MARGIN_MM, region.high - sites.MARGIN_MM
    places = Counter(site.place for site in sites.FIXED[sites.ABDOMEN] if low < site.centre[2] < high)
    assert places["adrenal gland"] == 2
    assert places["retroperitoneum"] + places["mesentery"] >= 3 * places["adrenal gland"]


def test_no_lesion_lies_beyond_the_scan(planned: list[Planned]) -> None:
    for lesion in planned:
        assert lesion.patient.region.low < float(lesion.healthy.z.mean()) < lesion.patient.region.high


def test_lesions_of_inner_organs_end_at_the_wall() -> None:
    beyond, inner = 0.0, 0
    for index in PATIENTS:
        patient, anatomy = plan.patient(13, index)
        for lesion in patient.studies[-1].lesions:
            if lesion.type in (sites.BONE, sites.SOFT_TISSUE):
                continue
            size = int(2 * lesion.reach / 2) + 3
            plane = axial(lesion.centre, 2.0, size, 1.0)
            points = plane.to_patient(np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1))
            inside = measure(Canvas(plane, patient.build.frame, anatomy.warp), patient.build).inside
            covered = lesion.distance(points[..., 0], points[..., 1], points[..., 2]) < 0
            beyond = max(beyond, float(inside[covered].max()))
            inner += 1
    assert inner > 30
    assert beyond < 6
