"""The phantom hospital knows the truth: what a harvest makes of it is held against truth.json."""

import json
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.core.management import call_command
from PIL import Image

from datasets.geometry import hu
from datasets.models import Annotation, Collection, FollowUp, Lesion, Patient, Series, Slice, Study
from datasets.storage import slice_storage

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def harvest(phantom_hospital, settings, tmp_path):
    """Harvest the hospital with some context; give its truth."""
    settings.DATA_DIR = tmp_path
    settings.IDENTITY_KEY_FILE = tmp_path / "identity_key"

    def run(context):
        call_command("harvest", f"dir://{phantom_hospital / 'dicom'}", stdout=StringIO(), context=context)
        return json.loads((phantom_hospital / "truth.json").read_text())

    return run


@pytest.fixture
def truth(harvest):
    """The truth of a hospital whose key slices were harvested."""
    return harvest(0.0)


def marks_of(truth):
    return [mark for person in truth["people"] for mark in person["marks"]]


def measured_of(truth):
    """Marks that are RECIST measurements on axial CT slices, whatever they show."""
    return [mark for mark in marks_of(truth) if mark["expected"] in ("lesion", "duplicate", "noise")]


def test_every_mark_is_recorded_with_the_outcome_that_the_truth_expects(truth):
    reasons = Counter(Annotation.objects.values_list("reason", flat=True))
    expected = Counter(mark["expected"] for mark in marks_of(truth))
    assert reasons[""] == expected["lesion"] + expected["duplicate"] + expected["noise"]
    assert reasons["not_recist"] == expected["not_recist"]
    assert reasons["non_axial"] == expected["non_axial"]
    assert reasons["other_modality"] == expected["not_ct"]
    assert sum(reasons.values()) == sum(expected.values())


def test_points_come_back_within_a_hundredth_of_a_pixel(truth):
    harvested = np.array([in_order(lesion.points) for lesion in Lesion.objects.exclude(annotation=None)])
    for mark in measured_of(truth):
        far = np.abs(harvested - in_order(mark["points"])).max(axis=(1, 2)).min()
        assert far < 0.01, mark["label"]


def in_order(points):
    """The four points by x and then y, whichever end and axis was drawn first."""
    return np.array(sorted(np.reshape(points, (4, 2)).tolist()))


def test_marks_of_one_lesion_by_two_readers_are_merged(truth):
    twice = Counter(
        mark["image"] for mark in measured_of(truth) if mark["quality"] in ("good", "duplicate") if mark["lesion"]
    )
    merged = Lesion.objects.filter(annotation=None, merged_into=None)
    duplicates = [mark for mark in marks_of(truth) if mark["quality"] == "duplicate"]
    assert len(duplicates) > 0, "the hospital plants some"
    assert merged.count() == len(duplicates)
    assert all(lesion.merged_from.count() == 2 for lesion in merged)
    assert twice


def test_slices_are_the_scanner_s_pixels_from_head_to_feet(harvest, phantom_hospital):
    truth = harvest(None)
    files = {}
    for path in (phantom_hospital / "dicom").rglob("*"):
        if path.is_file():
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID", "Modality"])
            files[header.SOPInstanceUID] = path
    by_count = {}
    for person in truth["people"]:
        for study in person["studies"]:
            for series in study["series"]:
                by_count.setdefault((series["slices"], series["rows"]), []).append(series["instances"])
    storage = slice_storage(Collection.objects.get())
    checked = 0
    for row in Series.objects.select_related("study__patient__collection"):
        slices = list(Slice.objects.filter(series=row).order_by("number"))
        assert [each.number for each in slices] == list(range(1, row.slices_in_volume + 1)), "no gap, none twice"
        candidates = by_count[row.slices_in_volume, row.rows]
        for number in (1, len(slices)):
            with storage.open(f"{row.folder}/{number:03d}.png") as file:
                stored = hu.from_png(np.asarray(Image.open(file)))
            originals = [pydicom.dcmread(files[instances[number - 1]]) for instances in candidates]
            exact = [
                np.array_equal(
                    stored, np.rint(each.pixel_array * float(each.RescaleSlope) + float(each.RescaleIntercept))
                )
                for each in originals
            ]
            assert any(exact), f"{row.folder} slice {number}"
            checked += 1
    assert checked >= 4


def test_lesions_marked_over_time_form_follow_up_sets(truth):
    several = [follow_up for follow_up in FollowUp.objects.all() if follow_up.lesions.count() > 1]
    assert several
    for follow_up in several:
        assert len({lesion.slice.series.study.patient_id for lesion in follow_up.lesions.all()}) == 1


def test_types_follow_the_finding_sites(truth):
    types = set(Lesion.objects.filter(merged_into=None).values_list("type", flat=True))
    assert len(types - {-1}) >= 3
    expected = {lesion["type"] for person in truth["people"] for lesion in person["lesions"] if lesion["bookmarked"]}
    assert types - {-1} <= expected


def test_patients_and_studies_are_as_many_as_have_lesions(truth):
    people = [p for p in truth["people"] if any(m["expected"] in ("lesion", "noise") for m in p["marks"])]
    assert Patient.objects.count() == len(people)
    assert Study.objects.count() <= sum(len(person["studies"]) for person in people)
    for path in Path(slice_storage(Collection.objects.get()).location).rglob("*.png"):
        assert not Image.open(path).text
