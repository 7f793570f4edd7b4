"""Marks in millimetres go to the series that their report names, and to no other one in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    PositronEmissionTomographyImageStorage,
    SegmentationStorage,
)

from datasets.pacs import readers
from datasets.pacs.placing import Rejected, StudyImages
from datasets.pacs.readers import Reason
from datasets.pacs.resolve import Flag, Measurement, resolve
from tests.datasets.pacs.dicom_files import STUDY, bidimensional, ct, ct_series, facts, report

IN_MM = {"long": (-12.0, -14, 10, 4, -14, 10), "short": (-4.0, -20.4, 10, -4, -7.6, 10)}
"""On the third slice of `ct_series`."""

PET, MISSING, FUSED, ENHANCED = "1.2.3.1.6", "1.2.3.1.99", "1.2.3.1.5", "1.2.3.1.4"
PET_CLASS = PositronEmissionTomographyImageStorage


def series(uid: str, **changes: Any) -> list[Dataset]:
    """Another series at the positions of `ct_series`, in its frame of reference."""
    return [ct(z=5.0 * n, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{n}", **changes) for n in range(5)]


def evidence(*named: tuple[str, str, str]) -> list[Dataset]:
    """Evidence: series, class and study of one image each."""
    studies = []
    for uid, sop_class, study_uid in named:
        image, group, study = Dataset(), Dataset(), Dataset()
        image.ReferencedSOPInstanceUID, image.ReferencedSOPClassUID = f"{uid}.2", sop_class
        group.SeriesInstanceUID, group.ReferencedSOPSequence = uid, [image]
        study.StudyInstanceUID, study.ReferencedSeriesSequence = study_uid, [group]
        studies.append(study)
    return studies


CTS = ct_series()
PETS = series(PET, SOPClassUID=PET_CLASS, Modality="PT")
SECOND = series(FUSED)
FRAMES = [ct(SOPClassUID=EnhancedCTImageStorage, SOPInstanceUID=f"{ENHANCED}.2", SeriesInstanceUID=ENHANCED,
             NumberOfFrames=5, ImagePositionPatient=None, PixelSpacing=None)]  # fmt: skip
SEGMENTED = [ct(SOPClassUID=SegmentationStorage, SOPInstanceUID="1.2.3.1.3.2", SeriesInstanceUID="1.2.3.1.3",
                Modality="SEG")]  # fmt: skip


def outcome(images: list[Dataset], *named: tuple[str, str, str], image: str = "") -> Measurement | Rejected:
    group = bidimensional(image, **IN_MM)
    whole = report(group, CurrentRequestedProcedureEvidenceSequence=evidence(*named))
    (bookmark,) = readers.read(whole)
    return resolve(bookmark, StudyImages(facts(*images, whole)))


@pytest.mark.parametrize(
    ("images", "named", "reason", "modality", "words"),
    [
        ([*CTS, *PETS], [(PET, PET_CLASS, STUDY)], Reason.OTHER_MODALITY, "PT", "drawn on PT"),
        (CTS, [(PET, PET_CLASS, STUDY)], Reason.OTHER_MODALITY, "", "an image of another kind"),
        (CTS, [(MISSING, CTImageStorage, "1.2.3.77")], Reason.UNSUPPORTED_OBJECT, "", "another study"),
        (FRAMES, [], Reason.UNSUPPORTED_OBJECT, "CT", "no CT slice of the classic kind"),
        ([*CTS, *FRAMES], [(ENHANCED, EnhancedCTImageStorage, STUDY)], Reason.UNSUPPORTED_OBJECT, "CT", "classic"),
        (PETS, [], Reason.OTHER_MODALITY, "PT", "drawn on PT"),
        ([], [(MISSING, CTImageStorage, STUDY)], Reason.UNRESOLVED_IMAGE, "", "frame of reference"),
    ],
    ids=["another modality", "another modality that is not there", "another study", "enhanced", "evidence is enhanced",
         "no evidence and another modality", "nothing there"],
)  # fmt: skip
def test_a_mark_that_was_drawn_elsewhere_is_refused_and_waits_only_for_what_may_come(
    images: list[Dataset], named: list[tuple[str, str, str]], reason: Reason, modality: str, words: str
) -> None:
    found = outcome(images, *named)
    assert isinstance(found, Rejected), found
    assert (found.reason, found.modality) == (reason, modality)
    assert words in found.detail


@pytest.mark.parametrize(
    ("images", "named", "flags"),
    [
        (CTS, [(MISSING, CTImageStorage, STUDY)], {Flag.AMBIGUOUS_SERIES}),
        (CTS, [(MISSING, "", "")], {Flag.AMBIGUOUS_SERIES}),
        ([*CTS, *PETS], [("1.2.3.1.1", CTImageStorage, STUDY)], set()),
        ([*CTS, *SECOND], [("1.2.3.1.1", CTImageStorage, STUDY)], set()),
        ([*CTS, *PETS], [("1.2.3.1.1", CTImageStorage, STUDY), (PET, PET_CLASS, STUDY)], {Flag.AMBIGUOUS_SERIES}),
        ([*CTS, *SEGMENTED], [("1.2.3.1.3", SegmentationStorage, STUDY)], set()),
        ([*CTS, *PETS], [], set()),
    ],
    ids=[
        "series not there",
        "nothing but a UID",
        "its own",
        "one of two",
        "both modalities",
        "a segmentation",
        "none",
    ],
)
def test_a_mark_that_may_have_been_drawn_elsewhere_is_flagged(
    images: list[Dataset], named: list[tuple[str, str, str]], flags: set[Flag]
) -> None:
    found = outcome(images, *named)
    assert isinstance(found, Measurement), found
    assert (found.volume.SeriesInstanceUID, found.slice_index) == ("1.2.3.1.1", 2)
    assert found.flags == flags


def test_the_image_that_a_mark_names_counts_before_its_reports_evidence() -> None:
    both = ("1.2.3.1.1", CTImageStorage, STUDY), (PET, PET_CLASS, STUDY)
    on_pet = outcome([*CTS, *PETS], *both, image=f"{PET}.2")
    assert isinstance(on_pet, Rejected)
    assert on_pet.reason is Reason.OTHER_MODALITY
    on_missing = outcome(CTS, *both, image=f"{PET}.2")
    assert isinstance(on_missing, Rejected)
    assert on_missing.reason is Reason.OTHER_MODALITY
    on_ct = outcome([*CTS, *PETS], *both, image=CTS[2].SOPInstanceUID)
    assert isinstance(on_ct, Measurement)
    assert not on_ct.flags


def test_a_mark_in_pixels_on_another_studys_image_or_modality_is_not_waited_for() -> None:
    for sop_class, study, reason in (
        (CTImageStorage, "1.2.3.77", Reason.UNSUPPORTED_OBJECT),
        (PET_CLASS, STUDY, Reason.OTHER_MODALITY),
        (CTImageStorage, STUDY, Reason.UNRESOLVED_IMAGE),
    ):
        sequence = evidence((MISSING, sop_class, study))
        (bookmark,) = readers.read(
            report(bidimensional(f"{MISSING}.2"), CurrentRequestedProcedureEvidenceSequence=sequence)
        )
        found = resolve(bookmark, StudyImages(facts(*CTS)))
        assert isinstance(found, Rejected)
        assert found.reason is reason


@pytest.mark.parametrize(
    ("images", "named", "reason"),
    [
        ([*CTS, *series(FUSED, FrameOfReferenceUID="1.2.3.8")], {}, Reason.UNSUPPORTED_OBJECT),
        ([*CTS, *PETS], {"series": PET}, Reason.OTHER_MODALITY),
        (CTS, {"series": MISSING}, Reason.UNRESOLVED_IMAGE),
        (PETS, {}, Reason.OTHER_MODALITY),
        ([], {}, Reason.UNRESOLVED_IMAGE),
    ],
)
def test_a_row_of_an_export_waits_only_for_what_may_come(
    images: list[Dataset], named: dict[str, str], reason: Reason
) -> None:
    (bookmark,) = readers.read(report(bidimensional("", **IN_MM)))
    found = resolve(replace(bookmark, frame_of_reference="", **named), StudyImages(facts(*images)))
    assert isinstance(found, Rejected)
    assert found.reason is reason
