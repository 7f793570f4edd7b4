"""From a PACS to a dataset through DICOMweb, against the slower of its two halves: downloading and encoding."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import django
import requests
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.memory import peak_megabytes
from benchmarks.png import sample_slice
from benchmarks.result import Result
from datasets.geometry.volume import Flips
from datasets.pacs.addresses import open_source
from datasets.pacs.addressing import web_address
from datasets.pacs.ahead import map_ahead
from datasets.pacs.http import credentials
from datasets.pacs.instance import Instance
from datasets.pacs.interruptible import interruptible
from datasets.pacs.pixels import encode_slice
from datasets.pacs.source import Query, Source, Study
from tests.datasets.pacs.dicom_files import bidimensional, report
from tests.peers.orthanc import Orthanc, private_orthanc

SLICES, ROUNDS = 2000, 2
"""Slices of the one series, a gigabyte: memory tells who holds it whole. Of each half the best round counts."""

PICTURES = 8
"""Different ones, each used for many slices."""

ENCODERS, IN_FLIGHT = 2, 8
"""As the harvest encodes."""

AT_LEAST, MEGABYTES = 0.6, 600
AS_STORED = Flips(columns=False, rows=False)


def run() -> Iterator[Result]:
    """Fill a private Orthanc and measure in a process of its own, so that its memory is the harvest's."""
    with private_orthanc() as orthanc, tempfile.TemporaryDirectory() as data:
        _fill(orthanc)
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment = {**kept, "DICOMWEB_PASSWORD": orthanc.password, "DATA_DIR": data}
        command = [sys.executable, "-m", "benchmarks.harvest", orthanc.web]
        root = Path(__file__).resolve().parent.parent
        done = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    slower = max(measured["download"], measured["encoding"])
    what = (
        f"of the slower half's speed: {SLICES} slices in {measured['harvest']:.2f} s, bare download "
        f"{measured['download']:.2f} s, bare encoding on {ENCODERS} threads {measured['encoding']:.2f} s"
    )
    yield Result("PACS to dataset: speed", slower / measured["harvest"], what, at_least=AT_LEAST)
    what = f"MB of resident memory at most, while one series of {SLICES} slices comes in"
    yield Result("PACS to dataset: memory", measured["megabytes"], what, at_most=MEGABYTES)


def _fill(orthanc: Orthanc) -> None:
    """Store a study of one series, with a report that marks a lesion in the middle."""
    pictures = [sample_slice(seed) for seed in range(PICTURES)]
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    names = {"StudyInstanceUID": study, "PatientID": "1", "AccessionNumber": "BENCH"}
    for place in range(SLICES):
        slice_ = Dataset(pictures[place % PICTURES])
        slice_.file_meta = FileMetaDataset()
        slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, generate_uid()
        slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = series, frame
        slice_.Modality, slice_.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        slice_.ImageOrientationPatient, slice_.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.8, 0.8]
        slice_.ImagePositionPatient = [0, 0, place]
        for keyword, value in names.items():
            setattr(slice_, keyword, value)
        _store(orthanc, slice_)
        if place == SLICES // 2:
            mark = bidimensional(slice_.SOPInstanceUID, long=(210, 260, 250, 260), short=(230, 245, 230, 275))
            _store(orthanc, report(mark, **names, SeriesInstanceUID=generate_uid(), SOPInstanceUID=generate_uid()))


def _store(orthanc: Orthanc, dataset: Dataset) -> None:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
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


def _encoding(pictures: list[Dataset]) -> None:
    """Encode as many slices that are in memory already."""

    def encode(number: int) -> None:
        fresh = Dataset(pictures[number % PICTURES])
        fresh.file_meta = pictures[0].file_meta
        encode_slice(fresh, AS_STORED)

    for _ in map_ahead(encode, range(SLICES), ENCODERS, IN_FLIGHT):
        pass


def _harvest(address: str, study: Study, number: int) -> None:
    """A round: from the PACS to rows and files: search, lists, report, every slice of the series, lesion, curation."""
    from datasets.models import Collection
    from datasets.pacs.deidentify import KEY_BYTES, Pseudonymiser
    from datasets.services.harvest import harvest

    collection, _ = Collection.objects.get_or_create(
        slug=f"bench-{number}", title=f"Bench {number}", kind=Collection.Kind.HOSPITAL
    )
    with interruptible(open_source(address), lambda: None) as source:
        found = harvest(
            source=source,
            collection=collection,
            pseudonymiser=Pseudonymiser(bytes(KEY_BYTES)),
            query=Query(accession_numbers=[study.AccessionNumber]),
            context_mm=None,
        )
    if (found.slices, found.lesions, found.problems) != (SLICES, 1, []):
        raise AssertionError(f"{found.slices} of {SLICES} slices arrived; {found.problems[:1]}")


def _slices(source: Source, study: Study) -> list[Instance]:
    return [instance for instance in source.instances(study) if instance.SOPClassUID == CTImageStorage]


def _measure(address: str) -> None:
    """What the process does that is measured; in turns, so that the machine's other work hits all alike."""
    source = open_source(address)
    pictures = [sample_slice(seed) for seed in range(PICTURES)]
    best: dict[str, float] = {}
    (study,) = source.studies()
    member = _slices(source, study)[0]
    for number in range(ROUNDS):
        for name, work in (
            ("download", partial(_download, address, member)),
            ("encoding", partial(_encoding, pictures)),
            ("harvest", partial(_harvest, address, study, number)),
        ):
            begin = time.perf_counter()
            work()
            best[name] = min(time.perf_counter() - begin, best.get(name, math.inf))
    print(json.dumps({**best, "megabytes": peak_megabytes()}))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _measure(sys.argv[1])
