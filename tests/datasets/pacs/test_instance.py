"""Header facts and pictures are the same whether pydicom has made values of a file's bytes already or not."""

from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.tag import Tag

from datasets.geometry.volume import Flips
from datasets.pacs.instance import DECODE_ERRORS, HEADER_KEYWORDS, facts_of
from datasets.pacs.pixels import encode_slice
from tests.datasets.pacs.dicom_files import ct

VALUES = {
    "whole": b"1.5\\-2\\3e1",
    "one": b"7",
    "padded": b" 1.5 \\ 2 \\3 ",
    "with nulls at its end": b"1\\2\\3\0",
    "empty": b"",
    "blank": b"  ",
    "with an empty part": b"1\\\\3 ",
    "no number": b"1\\two\\3",
    "no ASCII": b"1\\\xb2\\3 ",
    "of many digits": b"0.12345678901234567890\\1\\2",
}


def _read(**changes: Any) -> FileDataset:
    file = BytesIO()
    ct(**changes).save_as(file, enforce_file_format=True)
    return dcmread(BytesIO(file.getvalue()))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    ("keyword", "vr"),
    [("ImagePositionPatient", "DS"), ("ImageType", "CS"), ("SOPInstanceUID", "UI"), ("ConvolutionKernel", "SH")],
)
def test_facts_are_the_same_from_bytes_as_from_pydicom_s_values(keyword: str, vr: str, value: bytes) -> None:
    raw, decoded = _read(), _read()
    for dataset in (raw, decoded):
        dataset._dict[Tag(keyword)] = RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)
    for element in HEADER_KEYWORDS:
        try:
            decoded.get(element)
        except DECODE_ERRORS:
            continue
    assert facts_of(raw, HEADER_KEYWORDS) == facts_of(decoded, HEADER_KEYWORDS)
    left_alone = isinstance(raw.get_item(keyword), RawDataElement)
    assert left_alone == (vr != "SH" and value != b"")


@pytest.mark.parametrize("changes", [{}, {"RescaleSlope": "0.5"}, {"PixelRepresentation": 1}, {"BitsStored": 16}])
def test_a_picture_is_the_same_from_bytes_as_from_pydicom_s_values(changes: dict[str, Any]) -> None:
    raw, decoded = _read(**changes), _read(**changes)
    for _ in decoded:
        pass
    as_stored = Flips(columns=False, rows=False)
    assert encode_slice(raw, as_stored).png == encode_slice(decoded, as_stored).png
    assert isinstance(raw.get_item("Rows"), RawDataElement)
