"""Lesions sit where lesions of their type occur."""

import numpy as np
import pytest

from datasets.phantom import plan, sites
from datasets.phantom.body import measure
from datasets.phantom.canvas import Canvas
from datasets.phantom.plane import axial

PATIENTS = range(1, 17)


@pytest.fixture(scope="module")
def planned() -> list[tuple[plan.Patient, Canvas, float, int]]:
    """Per lesion: the patient, a healthy patch at its centre, its depth under the inner wall, its type."""
    found = []
    for index in PATIENTS:
        patient, anatomy = plan.patient(13, index)
        for lesion in patient.studies[0].lesions:
            canvas = Canvas(axial(lesion.centre, 0.8, 7, 1.0), patient.build.frame, anatomy.warp)
            outside = measure(canvas, patient.build)
            anatomy.paint(canvas, patient.studies[0].phase)
            found.append((patient, canvas, float(np.median(outside.inside - outside.outer)), lesion.type))
    return found


def test_centres_lie_inside_the_body(planned: list[tuple[plan.Patient, Canvas, float, int]]) -> None:
    assert max(depth for _, _, depth, _ in planned) < 0


def test_lung_lesions_lie_in_air_and_liver_lesions_in_the_liver(
    planned: list[tuple[plan.Patient, Canvas, float, int]],
) -> None:
    lung = [float(np.median(canvas.hu)) for _, canvas, _, kind in planned if kind == sites.LUNG]
    liver = [float(np.median(canvas.hu)) for _, canvas, _, kind in planned if kind == sites.LIVER]
    assert len(lung) > 3
    assert len(liver) > 3
    assert np.mean(np.array(lung) < -600) > 0.8
    assert np.mean((np.array(liver) > 5) & (np.array(liver) < 190)) > 0.8


def test_no_lesion_lies_beyond_the_scan(planned: list[tuple[plan.Patient, Canvas, float, int]]) -> None:
    for patient, canvas, _, _ in planned:
        assert patient.region.low < float(canvas.z.mean()) < patient.region.high
