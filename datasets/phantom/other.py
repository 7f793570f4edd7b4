"""Images of other modalities: simple pictures that exist so that bookmarks can point at them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    UltrasoundImageStorage,
)

from datasets.phantom import ct
from datasets.phantom.plan import Patient
from datasets.phantom.seeds import rng, uid

CLASSES: dict[str, UID] = {
    "MR": MRImageStorage,
    "NM": NuclearMedicineImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "US": UltrasoundImageStorage,
}
_TURN = {1: "MR", 3: "PT", 5: "MR", 6: "NM", 8: "US", 10: "MR", 12: "CR", 14: "MR", 16: "NM"}
"""Patient index modulo 20 -> modality; the order of frequency follows the paper's Fig. 4."""
_SIZE = {"MR": 256, "NM": 128, "PT": 168, "CR": 384, "US": 320}
_SPACING = {"MR": 1.5, "NM": 4.8, "PT": 4.07, "CR": 1.0, "US": 0.5}
_DESCRIPTION = {"MR": "MR LIVER", "NM": "NM BONE SCAN", "PT": "PET WHOLE BODY", "CR": "CR CHEST", "US": "US ABDOMEN"}


def modality_of(patient: Patient) -> str | None:
    """The other modality with which a patient was also examined, if any."""
    return _TURN.get(patient.index % 20)


def image(patient: Patient, modality: str) -> tuple[Dataset, NDArray[np.float64]]:
    """One image with a bright spot, and the RECIST points of the spot, (4, 2) 0-based pixels."""
    last = patient.studies[-1]
    study = replace(
        last,
        number=9,
        uid=uid(patient.seed, "study", modality),
        day=last.day + timedelta(days=2),
        frame_uid=uid(patient.seed, "frame", modality),
        accession=f"{modality}{last.accession[2:]}",
    )
    random = rng(patient.seed, modality)
    size = _SIZE[modality]
    pixels, points = _picture(random, size)
    data = ct.common(patient, study, modality)
    data.SOPClassUID = CLASSES[modality]
    data.SOPInstanceUID = uid(patient.seed, "image", modality)
    data.SeriesInstanceUID = uid(patient.seed, "series", modality)
    data.SeriesNumber, data.InstanceNumber = 1, 1
    data.StudyDescription = data.SeriesDescription = _DESCRIPTION[modality]
    data.Manufacturer = "Phantom Imaging"
    data.ImageType = ["ORIGINAL", "PRIMARY"] + (["STATIC", "EMISSION"] if modality == "NM" else [])
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows = data.Columns = size
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.WindowCenter, data.WindowWidth = 600, 1200
    spacing = _SPACING[modality]
    if modality in ("MR", "PT"):
        data.FrameOfReferenceUID, data.PositionReferenceIndicator = study.frame_uid, ""
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-size / 2 * spacing, -size / 2 * spacing, -300]
        data.SliceThickness = 5
    if modality != "US":
        data.PixelSpacing = [spacing, spacing]
    if modality == "NM":
        data.NumberOfFrames, data.FrameIncrementPointer = 1, 0x00540010
        data.EnergyWindowVector, data.DetectorVector = [1], [1]
    if modality == "PT":
        data.RescaleSlope, data.RescaleIntercept, data.Units = 1, 0, "BQML"
        data.CorrectedImage, data.DecayCorrection, data.SeriesType = ["DECY", "ATTN"], "START", ["STATIC", "IMAGE"]
        data.ImageIndex, data.NumberOfSlices = 1, 1
    if modality == "MR":
        data.ScanningSequence, data.SequenceVariant, data.MRAcquisitionType = "SE", "NONE", "2D"
        data.RepetitionTime, data.EchoTime, data.EchoTrainLength, data.ScanOptions = 2500, 90, 1, ""
    if modality == "CR":
        data.PatientOrientation, data.ViewPosition, data.BodyPartExamined = ["L", "F"], "PA", "CHEST"
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OW"
    return data, points


def _picture(random: np.random.Generator, size: int) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    y, x = np.mgrid[:size, :size] / size - 0.5
    body = np.clip((1 - np.hypot(x / 0.42, y / 0.3)) * 20, 0, 1) * 350
    cx, cy, r = random.uniform(-0.2, 0.2), random.uniform(-0.12, 0.12), random.uniform(0.03, 0.06)
    spot = np.clip((1 - np.hypot((x - cx) / r, (y - cy) / (0.75 * r))) * 5, 0, 1) * 500
    pixels = np.clip(body + spot + random.normal(40, 25, (size, size)), 0, 4095).astype(np.uint16)
    centre, half = (np.array([cx, cy]) + 0.5) * size, r * size
    return pixels, centre + np.array([(-half, 0), (half, 0), (0, -0.75 * half), (0, 0.75 * half)])
