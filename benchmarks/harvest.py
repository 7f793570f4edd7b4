"""From a PACS to encoded slices through DICOMweb, against the slower of its two halves: downloading and encoding."""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import requests
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.png import sample_slice
from benchmarks.result import Result
from datasets.geometry.volume import Flips
from datasets.pacs.addresses import open_source
from datasets.pacs.addressing import web_address
from datasets.pacs.ahead import map_ahead
from datasets.pacs.http import credentials
from datasets.pacs.instance import Instance
from datasets.pacs.pixels import encode_slice
from datasets.pacs.source import Source, Unreadable
from tests.peers.orthanc import Orthanc, private_orthanc

SERIES, SLICES = 4, 500
"""So many series of so many slices: each is one round, and of each half the best round counts."""

PICTURES = 8
"""Different ones, each used for many slices."""

ENCODERS, IN_FLIGHT = 2, 8
"""As the harvest encodes."""

AT_LEAST, MEGABYTES = 0.6, 600
AS_STORED = Flips(columns=False, rows=False)


def run() -> Iterator[Result]:
    """Fill a private Orthanc and measure in a process of its own, so that its memory is the pipeline's."""
    with private_orthanc() as orthanc:
        _fill(orthanc)
        environment = {**os.environ, "DICOMWEB_PASSWORD": orthanc.password}
        address = orthanc.web
        command = [sys.executable, "-m", "benchmarks.harvest", address]
        root = Path(__file__).resolve().parent.parent
        done = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    slower = max(measured["download"], measured["encoding"])
    what = (
        f"of the slower half's speed: {SLICES} slices in {measured['both']:.2f} s, bare download "
        f"{measured['download']:.2f} s, bare encoding on {ENCODERS} threads {measured['encoding']:.2f} s"
    )
    yield Result("PACS to slices: speed", slower / measured["both"], what, at_least=AT_LEAST)
    what = f"MB of resident memory at most, over {SERIES * SLICES} slices"
    yield Result("PACS to slices: memory", measured["megabytes"], what, at_most=MEGABYTES)


def _fill(orthanc: Orthanc) -> None:
    """Store one study."""
    study, frame = generate_uid(), generate_uid()
    pictures = [sample_slice(seed) for seed in range(PICTURES)]
    for _ in range(SERIES):
        series = generate_uid()
        for number in range(SLICES):
            slice_ = Dataset(pictures[number % PICTURES])
            slice_.file_meta = FileMetaDataset()
            slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, generate_uid()
            slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, frame
            slice_.PatientID, slice_.Modality, slice_.ImageType = "1", "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
            slice_.ImageOrientationPatient, slice_.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.8, 0.8]
            slice_.ImagePositionPatient = [0, 0, number]
            file = BytesIO()
            slice_.save_as(file, enforce_file_format=True)
            orthanc.request("/instances", file.getvalue())


def _download(address: str, member: Instance) -> None:
    """Fetch a whole series in one request and drop it."""
    place = web_address(address)
    url = f"{place.url}/studies/{member.StudyInstanceUID}/series/{member.SeriesInstanceUID}"
    accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    with requests.get(url, headers=accept, auth=credentials(place.user), stream=True, timeout=300) as answer:
        answer.raise_for_status()
        size = sum(map(len, answer.iter_content(2**20)))
    if size < SLICES * 2**19:
        raise AssertionError("the PACS gave less than was stored")


def _both(source: Source, instances: list[Instance]) -> None:
    """Bring a series from the PACS to encoded slices in a folder, as a harvest does."""
    with tempfile.TemporaryDirectory() as folder:

        def encode(pair: tuple[Instance, Dataset | Unreadable]) -> None:
            instance, dataset = pair
            if isinstance(dataset, Unreadable):
                raise dataset
            Path(folder, f"{instance.SOPInstanceUID}.png").write_bytes(encode_slice(dataset, AS_STORED).png)

        written = sum(1 for _ in map_ahead(encode, source.read_all(instances), ENCODERS, IN_FLIGHT))
    if written != SLICES:
        raise AssertionError(f"{written} of {SLICES} slices arrived")


def _encoding(pictures: list[Dataset]) -> None:
    """Encode as many slices that are in memory already."""

    def encode(number: int) -> None:
        fresh = Dataset(pictures[number % PICTURES])
        fresh.file_meta = pictures[0].file_meta
        encode_slice(fresh, AS_STORED)

    for _ in map_ahead(encode, range(SLICES), ENCODERS, IN_FLIGHT):
        pass


def _measure(address: str) -> None:
    """What the process does that is measured; series by series, so that the machine's other work hits all alike."""
    source = open_source(address)
    (study,) = source.studies()
    instances = source.instances(study)
    pictures = [sample_slice(seed) for seed in range(PICTURES)]
    best: dict[str, float] = {}
    for uid in sorted({instance.SeriesInstanceUID for instance in instances}):
        members = [instance for instance in instances if instance.SeriesInstanceUID == uid]
        for name, work in (
            ("download", partial(_download, address, members[0])),
            ("encoding", partial(_encoding, pictures)),
            ("both", partial(_both, source, members)),
        ):
            begin = time.perf_counter()
            work()
            best[name] = min(time.perf_counter() - begin, best.get(name, math.inf))
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**best, "megabytes": kilobytes / 1024}))


if __name__ == "__main__":
    _measure(sys.argv[1])
