"""CT Image Storage: the phantom's slices as DICOM files."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from datasets.phantom import people, render
from datasets.phantom.anatomy import Anatomy
from datasets.phantom.plan import Patient, Series, Study
from datasets.phantom.seeds import uid

SYNTAXES: dict[str, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "jpeg2000": JPEG2000Lossless,
    "jpegls": JPEGLSLossless,
    "rle": RLELossless,
}
IMPLEMENTATION_UID = uid(0, "implementation")
RESCALE_INTERCEPT = -1024


def common(patient: Patient, study: Study, modality: str) -> Dataset:
    """The attributes of patient and study, for any image of theirs."""
    person = patient.person
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName = person.name
    data.PatientID = person.patient_id
    data.IssuerOfPatientID = people.ISSUER
    data.PatientBirthDate = f"{person.birth:%Y%m%d}"
    data.PatientSex = person.sex
    data.PatientAge = f"{(study.day - person.birth) // timedelta(days=365.25):03d}Y"
    data.StudyInstanceUID = study.uid
    data.StudyDate = f"{study.day:%Y%m%d}"
    data.StudyTime = f"{8 + study.number:02d}1500"
    data.StudyID = f"{study.number}"
    data.AccessionNumber = study.accession
    data.ReferringPhysicianName = "Marchetti^Rosa^^Dr"
    data.StudyDescription = f"CT {study.region}"
    data.InstitutionName = people.HOSPITAL
    data.Modality = modality
    data.SeriesDate = data.AcquisitionDate = data.ContentDate = data.StudyDate
    data.SeriesTime = data.AcquisitionTime = data.ContentTime = data.StudyTime
    return data


def template(patient: Patient, study: Study, series: Series) -> Dataset:
    """Everything that the slices of one series share."""
    data = common(patient, study, "CT")
    first = series.planes[0]
    data.SOPClassUID = CTImageStorage
    data.ImageType = ["ORIGINAL" if series.is_axial else "DERIVED", "PRIMARY", "AXIAL" if series.is_axial else "MPR"]
    data.Manufacturer = "Phantom Imaging"
    data.ManufacturerModelName = "Elsewhere 64"
    data.DeviceSerialNumber = "40017"
    data.SoftwareVersions = "1.0"
    data.SeriesInstanceUID = series.uid
    data.SeriesNumber = series.number
    data.SeriesDescription = series.description
    data.BodyPartExamined = study.region.split()[0]
    data.ProtocolName = study.region.title()
    data.PatientPosition = "FFS" if "feet_first" in series.quirks else "HFS"
    data.FrameOfReferenceUID = study.frame_uid
    data.PositionReferenceIndicator = ""
    data.SliceThickness = first.thickness
    data.KVP = study.kvp
    data.XRayTubeCurrent = round(160 * series.dose)
    data.ExposureTime = 500
    data.GantryDetectorTilt = round(float(np.degrees(np.arcsin(first.down[2]))), 1) if "tilt" in series.quirks else 0.0
    data.ConvolutionKernel = series.kernel.name
    data.ReconstructionDiameter = round(first.spacing * first.columns, 3)
    if study.phase != "none":
        data.ContrastBolusAgent = "Iohexol 300"
        data.ContrastBolusRoute = "IV"
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = first.rows, first.columns
    data.PixelSpacing = [round(first.spacing, 6)] * 2
    data.ImageOrientationPatient = [round(value, 8) for value in (*first.right, *first.down)]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = RESCALE_INTERCEPT, 1, "HU"
    data.WindowCenter, data.WindowWidth = series.window
    return data


def write_series(folder: Path, patient: Patient, anatomy: Anatomy, study: Study, series: Series) -> None:
    """Render and write one series, one file per slice."""
    folder.mkdir(parents=True)
    data = template(patient, study, series)
    syntax = SYNTAXES[series.syntax]
    for index, plane in enumerate(series.planes):
        if index in series.missing:
            continue
        hu = render.of_series(patient, anatomy, study, series, index)
        data.SOPInstanceUID = series.instance_uids[index]
        data.InstanceNumber = series.instance_numbers[index]
        data.ImagePositionPatient = [round(value, 6) for value in plane.origin]
        data.SliceLocation = round(plane.origin[2], 3)
        write(folder / f"IM{series.instance_numbers[index]:05d}.dcm", data, hu, syntax)


def write(path: Path, data: Dataset, hu: NDArray[np.int16], syntax: UID) -> None:
    """Store HU in a file in a transfer syntax; the dataset is the caller's and gets its pixels replaced."""
    stored = (hu - RESCALE_INTERCEPT).astype(np.uint16)
    data.PixelData = stored.tobytes()
    data["PixelData"].VR = "OW"
    data["PixelData"].is_undefined_length = False
    data.file_meta = meta(data, ExplicitVRLittleEndian if syntax.is_compressed else syntax)
    if syntax.is_compressed:
        plugin = "pyjpegls" if syntax == JPEGLSLossless else ""
        data.compress(syntax, stored, encoding_plugin=plugin, generate_instance_uid=False)
    save(path, data)


def save(path: Path, data: Dataset) -> None:
    """Write a file. What the disk complains of while pydicom writes would lose its name, so it writes to memory."""
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    path.write_bytes(buffer.getbuffer())


def meta(data: Dataset, syntax: UID) -> FileMetaDataset:
    """The file meta information of a dataset."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = "PHANTOM_1"
    return meta
