"""Damaged files end in a named error or a reason, never in anything else."""

from __future__ import annotations

import contextlib
import random
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from datasets.geometry.volume import Flips
from datasets.pacs import deidentify, pixels, readers
from datasets.pacs.directory import DirectorySource, read_stream
from datasets.pacs.instance import Instance
from datasets.pacs.placing import StudyImages
from datasets.pacs.resolve import resolve
from datasets.pacs.source import Source, Unreadable
from tests.datasets.pacs import test_aim as aim
from tests.datasets.pacs import test_presentation as presentation
from tests.datasets.pacs.dicom_files import CROSS, bidimensional, ct, ct_series, facts, report, save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FILES = 150
PREAMBLE = 132


def compressed(syntax: str) -> Dataset:
    slice_ = ct(z=5)
    if syntax != ExplicitVRLittleEndian:
        slice_.compress(syntax, generate_instance_uid=False)
    return slice_


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Overwrite some bytes, and cut the end off every fifth time."""
    broken = bytearray(data)
    for _ in range(dice.choice([1, 3, 20])):
        broken[dice.randrange(PREAMBLE, min(len(broken), 2500))] = dice.randrange(256)
    return bytes(broken[: dice.randrange(len(broken))] if dice.random() < 0.2 else broken)


def use(source: Source, instance: Instance) -> None:
    """Take every way that an object can take."""
    try:
        dataset = source.read(instance)
    except Unreadable:
        return
    images = StudyImages([*facts(*ct_series()), instance])
    deidentify.image_facts(instance), deidentify.patient_facts(instance), deidentify.refusal(instance)
    if readers.is_annotation(instance):
        bookmarks = readers.read(dataset)
        assert bookmarks or instance.SOPClassUID == GrayscaleSoftcopyPresentationStateStorage
        for bookmark in bookmarks:
            resolve(bookmark, images)
        return
    with contextlib.suppress(pixels.PixelError):
        pixels.encode_slice(dataset, Flips(columns=False, rows=False))


@pytest.mark.parametrize("undefined_lengths", [False, True])
def test_a_report_that_was_cut_gives_no_part_of_its_measurements(undefined_lengths: bool) -> None:
    whole = report(*[bidimensional("1.2.3.1.1.1000") for _ in range(3)])
    for element in whole.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined_lengths
    file = BytesIO()
    pydicom.dcmwrite(file, whole, enforce_file_format=True)
    data = file.getvalue()
    assert len(readers.read(read_stream(BytesIO(data)))) == 3
    assert len(readers.read(read_stream(BytesIO(data + bytes(5))))) == 3
    for end in range(400, len(data), 7):
        with contextlib.suppress(Unreadable):
            # What ends right behind an element of the report's own looks whole, and holds none of them.
            assert not [each for each in readers.read(read_stream(BytesIO(data[:end]))) if each.reason is None]


@pytest.mark.parametrize(
    "whole",
    [report(bidimensional("1.2.3.1.1.1050"), bidimensional("1.2.3.1.1.1000"), SOPInstanceUID="1.2.3.1.7.1")]
    + [presentation.state(presentation.annotation(*map(presentation.graphic, CROSS)))]
    + [report(SOPClassUID=aim.ENCAPSULATED_XML, EncapsulatedDocument=aim.aim3(("Polyline", aim.LONG)))]
    + [compressed(s) for s in (ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless)],
    ids=["report", "presentation", "document", "native", "rle", "jpeg2000", "jpegls"],
)
def test_damage_anywhere_is_survived(whole: Dataset, tmp_path: Path) -> None:
    data = save(whole, tmp_path / "whole").read_bytes()
    dice = random.Random(0)
    read = left_out = 0
    for number in range(FILES):
        # Each in a folder of its own: they claim to be copies of one object.
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "damaged").write_bytes(damaged(data, dice))
        source = DirectorySource(folder)
        for study in source.studies():
            for instance in source.instances(study):
                use(source, instance)
                read += 1
        left_out += len(source.problems)
    assert read + left_out == FILES
    assert min(read, left_out) > 0
