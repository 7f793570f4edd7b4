"""Small DICOM objects for tests: CT slices with a known picture, and reports as several viewers write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, EnhancedSRStorage, ExplicitVRLittleEndian, generate_uid

from datasets.pacs.instance import Instance, from_dataset

ROWS, COLUMNS = 48, 64
STUDY, SERIES, FRAME = "1.2.3.1", "1.2.3.1.1", "1.2.3.9"
AXIAL = (1, 0, 0, 0, 1, 0)


def picture(seed: int = 0, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.int16]:
    """A picture without any symmetry, HU, -1024..3000."""
    noise = np.random.default_rng(seed).normal(0, 20, (rows, columns))
    slope = np.linspace(-900, 1200, columns) + np.linspace(0, 900, rows)[:, None]
    return np.clip(slope + noise, -1024, 3000).astype(np.int16)


def ct(z: float = 0.0, hu: NDArray[np.int16] | None = None, **changes: Any) -> Dataset:
    """One CT slice, stored as unsigned 12 bits with intercept -1024; `changes` set or, where None, remove elements."""
    hu = picture() if hu is None else hu
    slice_ = Dataset()
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{SERIES}.{round(1000 + 10 * z)}",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "FrameOfReferenceUID": FRAME,
        "Modality": "CT",
        "PatientID": "4711",
        "PatientName": "Nobody^Anna",
        "PatientSex": "F",
        "PatientAge": "062Y",
        "StudyDate": "20150420",
        "AccessionNumber": "A1",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "InstanceNumber": 1,
        "ImagePositionPatient": [-20.0, -30.0, z],
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": [0.8, 0.8],
        "SliceThickness": 5,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": hu.shape[0],
        "Columns": hu.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
        "PixelData": (hu + 1024).astype("<u2").tobytes(),
    }
    for keyword, value in (values | changes).items():
        if value is not None:
            setattr(slice_, keyword, value)
    return slice_


def ct_series(count: int = 5, step: float = 5.0, **changes: Any) -> list[Dataset]:
    """Slices from feet to head, `step` mm apart."""
    return [ct(z=index * step, **changes) for index in range(count)]


MARKED = ct_series()[2]
"""The third of five slices, and the third from either end."""


def facts(*objects: Dataset) -> list[Instance]:
    """Header facts of datasets, as a source gives them."""
    return [from_dataset(each, locator="somewhere") for each in objects]


def save(dataset: Dataset, path: Path) -> Path:
    """Write a DICOM file with preamble."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def code(value: str, scheme: str, meaning: str) -> Items:
    """A code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Items([item])


LONG = code("G-A185", "SRT", "Long Axis")
SHORT = code("G-A186", "SRT", "Short Axis")
GROUP = code("125007", "DCM", "Measurement Group")


def content(type_: str, name: Items | None = None, *children: Dataset, **values: Any) -> Dataset:
    """One content item."""
    item = Dataset()
    item.ValueType = type_
    if name is not None:
        item.ConceptNameCodeSequence = name
    for keyword, value in values.items():
        setattr(item, keyword, value)
    if children:
        item.ContentSequence = Items(children)
    return item


def image(uid: str) -> Dataset:
    """An IMAGE item."""
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, uid
    return content("IMAGE", None, ReferencedSOPSequence=Items([reference]), RelationshipType="SELECTED FROM")


def axis(
    name: Items, points: Sequence[float], uid: str | None, value: float | None = 10.0, unit: str = "mm"
) -> Dataset:
    """A NUM with the SCOORD (2 x 2 numbers) or SCOORD3D (2 x 3 numbers) below it."""
    kind = "SCOORD3D" if len(points) == 6 else "SCOORD"
    drawn = content(kind, None, *([image(uid)] if uid else []), GraphicType="POLYLINE", GraphicData=list(points))
    if kind == "SCOORD3D":
        drawn.ReferencedFrameOfReferenceUID = FRAME
    number = content("NUM", name, drawn, RelationshipType="CONTAINS")
    if value is not None:
        measured = Dataset()
        measured.NumericValue = str(value)
        measured.MeasurementUnitsCodeSequence = code(unit, "UCUM", unit)
        number.MeasuredValueSequence = Items([measured])
    return number


def text(name: Items, value: str) -> Dataset:
    """A TEXT item."""
    return content("TEXT", name, TextValue=value)


def identifier(value: str) -> Dataset:
    """A Tracking Identifier."""
    return text(code("112039", "DCM", "Tracking Identifier"), value)


def report(*groups: Dataset, **changes: Any) -> Dataset:
    """A structured report with its groups under Imaging Measurements."""
    measurements = content("CONTAINER", code("126010", "DCM", "Imaging Measurements"), *groups)
    root = content("CONTAINER", code("126000", "DCM", "Imaging Measurement Report"), measurements)
    root.file_meta = FileMetaDataset()
    root.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {
        "SOPClassUID": EnhancedSRStorage,
        "SOPInstanceUID": generate_uid(entropy_srcs=["report"]),
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": "1.2.3.1.7",
        "Modality": "SR",
        "ContentDate": "20150421",
    } | changes
    for keyword, value in values.items():
        setattr(root, keyword, value)
    return root


CROSS = ((10.5, 20.5, 30.5, 20.5), (20.5, 12.5, 20.5, 28.5))
"""SCOORDs of a mark: long axis from (10, 20) to (30, 20), short axis from (20, 12) to (20, 28)."""


def bidimensional(
    uid: str,
    *others: Dataset,
    long: Sequence[float] = CROSS[0],
    short: Sequence[float] = CROSS[1],
    long_mm: float | None = 16.0,
    short_mm: float | None = 12.8,
    unit: str = "mm",
) -> Dataset:
    """A measurement group as OHIF writes it."""
    return content(
        "CONTAINER", GROUP, *others, axis(LONG, long, uid, long_mm, unit), axis(SHORT, short, uid, short_mm, unit)
    )
