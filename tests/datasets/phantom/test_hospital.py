"""The DICOM files and reports of a hospital, and whether truth.json tells the truth about them."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from highdicom.sr import srread
from pydicom.dataset import Dataset

from datasets.phantom import ct, plan, render

from .conftest import PATIENTS, SEED, SIZE

Truth = dict[str, Any]


@pytest.fixture(scope="module")
def headers(hospital: Path) -> dict[str, Dataset]:
    """Every file without its pixels, by SOPInstanceUID."""
    files = (pydicom.dcmread(path, stop_before_pixels=True) for path in (hospital / "dicom").rglob("*.dcm"))
    return {str(file.SOPInstanceUID): file for file in files}


def all_series(truth: Truth) -> list[dict[str, Any]]:
    return [series for person in truth["people"] for study in person["studies"] for series in study["series"]]


def all_marks(truth: Truth) -> list[dict[str, Any]]:
    return [mark for person in truth["people"] for mark in person["marks"]]


def test_every_file_is_told_of(headers: dict[str, Dataset], truth: Truth) -> None:
    told = {instance for series in all_series(truth) for instance in series["instances"]}
    images = {uid for uid, file in headers.items() if file.Modality == "CT"}
    reports = {uid for uid, file in headers.items() if file.Modality == "SR"}
    assert images == told
    assert reports == {mark["report"] for mark in all_marks(truth)}


def test_instances_are_told_from_head_to_feet(headers: dict[str, Dataset], truth: Truth) -> None:
    for series in all_series(truth):
        if series["kind"] in ("axial", "slab"):
            heights = [headers[uid].ImagePositionPatient[2] for uid in series["instances"]]
            assert heights == sorted(heights, reverse=True)


def test_every_quirk_is_there(headers: dict[str, Dataset], truth: Truth) -> None:
    found = {quirk: series for series in all_series(truth) for quirk in series["quirks"]}
    assert set(found) == set(plan.QUIRKS.values())

    def first(quirk: str) -> Dataset:
        return headers[found[quirk]["instances"][0]]

    numbers = [int(headers[uid].InstanceNumber) for uid in found["shuffled"]["instances"]]
    assert numbers not in (sorted(numbers), sorted(numbers, reverse=True))
    assert first("feet_first").PatientPosition == "FFS"
    assert first("feet_first").InstanceNumber == found["feet_first"]["slices"]
    assert first("matrix_768").Rows == SIZE * 3 // 2
    assert first("tilt").ImageOrientationPatient[5] == pytest.approx(np.sin(np.deg2rad(9)))
    assert first("tilt").GantryDetectorTilt == pytest.approx(9)
    heights = [headers[uid].ImagePositionPatient[2] for uid in found["missing_slice"]["instances"]]
    assert sorted(np.round(-np.diff(heights), 3))[-1] == 10
    normal = np.cross(first("oblique").ImageOrientationPatient[:3], first("oblique").ImageOrientationPatient[3:])
    assert abs(normal[2]) < 0.9


def test_every_transfer_syntax_gives_the_rendered_pixels(hospital: Path, truth: Truth) -> None:
    seen = set()
    for person in truth["people"]:
        patient = anatomy = None
        for number, study in enumerate(person["studies"]):
            for order, series in enumerate(study["series"]):
                if series["transfer_syntax"] in seen or "missing_slice" in series["quirks"]:
                    continue
                if patient is None or anatomy is None:
                    patient, anatomy = plan.patient(SEED, person["index"], SIZE)
                seen.add(series["transfer_syntax"])
                planned = patient.studies[number].series[order]
                at = len(series["instances"]) // 2
                name = f"IM{planned.instance_numbers[at]:05d}.dcm"
                folder = hospital / "dicom" / f"P{person['index']:04d}" / f"ST{number + 1}" / f"SE{planned.number}"
                file = pydicom.dcmread(folder / name)
                assert file.file_meta.TransferSyntaxUID == ct.SYNTAXES[series["transfer_syntax"]]
                assert file.SOPInstanceUID == series["instances"][at]
                expected = render.of_series(patient, anatomy, patient.studies[number], planned, at)
                assert np.array_equal(file.pixel_array + float(file.RescaleIntercept), expected)
    assert {"explicit", "jpeg2000", "jpegls", "rle"} <= seen


def test_ct_files_hold_what_archives_and_viewers_need(headers: dict[str, Dataset]) -> None:
    needed = """
        PatientID PatientName IssuerOfPatientID PatientBirthDate PatientSex StudyInstanceUID StudyDate StudyTime
        AccessionNumber ReferringPhysicianName StudyID SeriesInstanceUID SeriesNumber Modality FrameOfReferenceUID
        PatientPosition ImageType KVP ConvolutionKernel SliceThickness PixelSpacing ImageOrientationPatient
        ImagePositionPatient InstanceNumber Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
        SamplesPerPixel PhotometricInterpretation RescaleSlope RescaleIntercept WindowCenter WindowWidth
    """
    for file in headers.values():
        if file.Modality == "CT":
            assert [keyword for keyword in needed.split() if keyword not in file] == []
            assert len(file.SOPInstanceUID) <= 64


def test_studies_keep_one_patient_and_one_frame(headers: dict[str, Dataset]) -> None:
    frames: dict[str, set[str]] = {}
    people: dict[str, set[str]] = {}
    for file in headers.values():
        people.setdefault(file.StudyInstanceUID, set()).add(f"{file.PatientID} {file.PatientName}")
        if file.Modality == "CT":
            frames.setdefault(file.StudyInstanceUID, set()).add(file.FrameOfReferenceUID)
    assert all(len(found) == 1 for found in (*frames.values(), *people.values()))


def test_highdicom_reads_every_report(hospital: Path, truth: Truth) -> None:
    found: dict[str, int] = {}
    for path in (hospital / "dicom").rglob("SR*.dcm"):
        report = srread(path)
        groups = [
            *report.content.get_image_measurement_groups(),
            *report.content.get_planar_roi_measurement_groups(),
        ]
        found[str(report.SOPInstanceUID)] = len(groups)
        assert report.content.get_observer_contexts()
    expected: dict[str, int] = {}
    for mark in all_marks(truth):
        expected[mark["report"]] = expected.get(mark["report"], 0) + 1
    assert found == expected


def test_reports_hold_the_points_of_the_truth(headers: dict[str, Dataset], truth: Truth) -> None:
    for report in {mark["report"] for mark in all_marks(truth)}:
        lines = coordinates(headers[report])
        for mark in all_marks(truth):
            if mark["report"] != report or mark["tool"] not in ("recist", "line"):
                continue
            own = lines[mark["tracking_uid"]]
            assert np.abs(np.array([line for _, line, _ in own]).reshape(-1, 2) - 0.5 - mark["points"]).max() < 0.01
            assert {image for image, _, _ in own} == {mark["image"]}
            image = headers[mark["image"]]
            if "PixelSpacing" in image:
                lengths = [np.hypot(*(np.diff(np.reshape(line, (2, 2)), axis=0)[0])) for _, line, _ in own]
                assert [value for *_, value in own] == pytest.approx(
                    np.multiply(lengths, image.PixelSpacing[0]), abs=0.01
                )


def coordinates(report: Dataset) -> dict[str, list[tuple[str, list[float], float]]]:
    """Per tracking UID the referenced image, the SCOORD and the NUM of every measurement."""
    result: dict[str, list[tuple[str, list[float], float]]] = {}
    container = next(item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    for group in container.ContentSequence:
        uid = next(i.UID for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "112040")
        for number in (item for item in group.ContentSequence if item.ValueType == "NUM"):
            line = next(item for item in number.ContentSequence if item.ValueType == "SCOORD")
            image = line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            value = float(number.MeasuredValueSequence[0].NumericValue)
            result.setdefault(str(uid), []).append((str(image), list(line.GraphicData), value))
    return result


def test_marks_point_at_existing_images(headers: dict[str, Dataset], truth: Truth) -> None:
    for mark in all_marks(truth):
        assert headers[mark["image"]].Modality == mark["modality"]
        assert headers[mark["image"]].StudyInstanceUID == mark["study_instance_uid"]
        assert headers[mark["report"]].StudyInstanceUID == mark["study_instance_uid"]


def test_truth_measures_agree_with_good_marks(headers: dict[str, Dataset], truth: Truth) -> None:
    off = []
    for person in truth["people"]:
        sizes = {
            (one["id"], study["study"]): study["long_mm"] for one in person["lesions"] for study in one["studies"]
        }
        numbers = {study["study_instance_uid"]: study["number"] for study in person["studies"]}
        for mark in person["marks"]:
            true = sizes.get((mark["lesion"], numbers.get(mark["study_instance_uid"])))
            if mark["expected"] == "lesion" and true is not None:
                first, second = np.array(mark["points"][:2])
                off.append(np.hypot(*(second - first)) * headers[mark["image"]].PixelSpacing[0] / true)
    assert len(off) > 10
    assert 0.85 < np.median(off) < 1.15


def test_other_modalities_exist_for_bookmarks_alone(headers: dict[str, Dataset], truth: Truth) -> None:
    modalities = {file.Modality for file in headers.values()}
    assert modalities >= {"CT", "SR", "MR", "PT", "NM", "US"}
    assert {mark["expected"] for mark in all_marks(truth) if mark["modality"] != "CT"} == {"not_ct"}


def test_people_differ(truth: Truth) -> None:
    assert len({person["patient_id"] for person in truth["people"]}) == PATIENTS
