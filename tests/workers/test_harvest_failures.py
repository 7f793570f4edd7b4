"""What a PACS can do wrong: each has its name in the harvest's report, and the other studies go on."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import Client
from pytest_django import Settings

from datasets.models import HarvestedStudy, Lesion
from datasets.services.harvest import PATIENCE
from datasets.services.harvest.order import Order
from tests.datasets.pacs.certificates import authority
from tests.datasets.pacs.dicom_files import bidimensional, report
from tests.datasets.pacs.test_dicomweb import hang_up, huge, in_parts, multipart, short, status
from tests.datasets.pacs.web_archive import archive
from tests.datasets.pacs.web_server import JSON, Answer, send, serving
from tests.factories import make_user
from tests.harvesting import harvest, reported
from tests.peers.process import free_port
from tests.workers.three_studies import BAD, STUDIES, hospital, study
from workers import engine, harvesting
from workers.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_data")]


def refusing(place: str, answer: Answer) -> Callable[[str], Answer | None]:
    """Break the requests that end so within the bad study."""
    return lambda path: answer if BAD in path and path.endswith(place) else None


def pixels(answer: Answer) -> Callable[[str], Answer | None]:
    """Break what gives the slices of the bad study, whole series and single ones."""
    return lambda path: answer if f"{BAD}/series/{BAD}.1" in path else None


def too_few(handler: BaseHTTPRequestHandler) -> None:
    """List nothing of a study that holds six objects."""
    send(handler, b"[]", JSON)


@dataclass(frozen=True)
class Case:
    breaking: Callable[[str], Answer | None]
    names: set[str]
    lesions: int = STUDIES - 1


CASES = {
    "the server hangs up on a list": Case(refusing("/instances", hang_up), {"SourceUnreachable"}),
    "the list of a study is not for us": Case(refusing("/instances", status(401)), {"AccessDenied"}),
    "the server fails at a list": Case(refusing("/instances", status(500)), {"BadAnswer"}),
    "a list that breaks off": Case(refusing("/instances", short), {"TruncatedAnswer"}),
    "fewer objects than the study has": Case(refusing("/instances", too_few), {"TruncatedAnswer"}),
    "a list of 10 GB": Case(refusing("/instances", huge), {"TooLarge"}),
    "the server stops mid-series": Case(pixels(hang_up), {"SourceUnreachable"}),
    "slices of 10 GB": Case(pixels(huge), {"TooLarge"}),
    "slices that break off": Case(pixels(multipart(in_parts(b"\0" * 128 + b"DICM", b""))), {"TruncatedAnswer"}),
    "slices that are no DICOM": Case(pixels(multipart(in_parts(b"Welcome"))), {"Unreadable"}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_study_that_fails_is_named_and_the_others_go_on(case: Case) -> None:
    objects = hospital()
    with archive(objects, case.breaking) as address:
        code, out, err = harvest(address)
    assert code == 1
    assert set(reported()) == case.names, err
    assert all(name in out for name in case.names)
    assert Lesion.objects.count() == case.lesions
    assert HarvestedStudy.objects.count() == STUDIES - 1, "the mark of the broken one has not moved"
    with archive(objects) as address:
        assert harvest(address)[0] == 0
    assert Lesion.objects.count() == STUDIES, "nothing is lost for good"


@pytest.mark.parametrize(
    ("changes", "names", "lesions"),
    [
        ({"Rows": 65_535, "Columns": 65_535}, {"NotOneSlice"}, 2),
        ({"PixelData": b"\0" * 100}, {"TruncatedPixels"}, 2),
        ({"RescaleSlope": None}, {"NotHounsfield"}, 2),
        ({"BurnedInAnnotation": "YES"}, set(), 2),
    ],
    ids=["8 GB by the header", "fewer pixels than stated", "no Hounsfield units", "burned-in text"],
)
def test_slices_that_cannot_be_used_are_named(changes: dict[str, Any], names: set[str], lesions: int) -> None:
    with archive(hospital(**changes)) as address:
        code, _, err = harvest(address)
    assert code == bool(names), err
    assert set(reported()) == names
    assert Lesion.objects.count() == lesions


def test_a_header_that_differs_from_its_list_is_a_contradiction() -> None:
    """The list decides on which slice a mark lies, the object brings the pixels."""
    objects = hospital()
    listed = deepcopy(objects)
    for each in listed:
        if each.StudyInstanceUID == BAD and "ImagePositionPatient" in each:
            x, y, z = each.ImagePositionPatient
            each.ImagePositionPatient = [x, y, float(z) + 2.5]
    with archive(objects) as honest:

        def sent_on(path: str) -> Answer | None:
            return None if path.endswith(("/studies", "/instances")) else redirect(honest)

        with archive(listed, sent_on) as address:
            harvest(address)
    assert reported() == {"Contradiction": 5}
    assert Lesion.objects.count() == 2


def redirect(address: str) -> Answer:
    """Send on to another server."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        url = address.removeprefix("dicomweb+").removesuffix("/dicom-web")
        handler.send_header("Location", url + handler.path)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def test_missing_slices_and_contradictory_spacing_are_named_and_flagged_not_refused() -> None:
    objects = hospital(SpacingBetweenSlices=1.0)
    # The fourth slice of the first study was lost: a gap between those that are kept.
    objects = [each for each in objects if each.SOPInstanceUID != "1.2.840.9.1.1.3"]
    with archive(objects) as address:
        code, _, err = harvest(address)
    assert code == 0
    assert reported("noted") == {"ContradictorySpacing": 1, "MissingSlices": 1}
    assert "lacks about 1 slice;" in err
    assert "its headers state 1 mm between slices that lie 5 mm apart" in err
    flags = sorted(flag for lesion in Lesion.objects.all() for flag in lesion.flags)
    assert [flag.split()[0] for flag in flags] == ["Slices", "The"]
    assert Lesion.objects.count() == STUDIES


def test_a_length_that_disagrees_is_flagged_and_told_with_both_numbers() -> None:
    objects = study("1.2.840.9.1")
    mark = bidimensional("1.2.840.9.1.1.2", long_mm=40.0)
    objects[-1] = report(mark, StudyInstanceUID="1.2.840.9.1", SOPInstanceUID="1.2.840.9.1.9.1", PatientID="1")
    with archive(objects) as address:
        _, told, _ = harvest(address, dry_run=True)
        code, _, err = harvest(address)
    sentence = (
        "The reported lengths are not those of the points: "
        "reported long 40 mm, short 12.8 mm; computed long 16 mm, short 12.8 mm."
    )
    assert code == 0
    assert sentence in told
    assert sentence in err
    assert reported("noted") == {"LengthDisagrees": 1}
    assert Lesion.objects.get().flags == [sentence]
    client = Client()
    client.force_login(make_user("curator"))
    page = client.get(f"/lesions/{Lesion.objects.get().pk}/").content.decode()
    assert sentence in page
    assert "40.00 × 12.80 mm" in page


def test_after_several_studies_without_an_answer_the_harvest_stops_and_goes_on_later() -> None:
    objects = [each for number in range(1, 8) for each in study(f"1.2.840.9.{number}")]
    asked: list[str] = []

    def dies(path: str) -> Answer | None:
        if path.endswith("/instances"):
            asked.append(path)
            return hang_up if len(set(asked)) > 2 else None
        return None

    with archive(objects, dies) as address, pytest.raises(CommandError) as stopped:
        harvest(address)
    sentence = str(stopped.value)
    assert sentence.startswith(f"The harvest stopped at study 5 of 7: {PATIENCE} studies in a row failed")
    assert "\n" not in sentence
    assert len(set(asked)) == 2 + PATIENCE, "the others were not tried"
    assert Lesion.objects.count() == 2
    assert (Job.objects.get().state, Job.objects.get().message) == (Job.State.FAILED, sentence)
    assert reported() == {"SourceUnreachable": PATIENCE}
    assert Job.objects.get().result["lesions"] == 2, "what was done until then is told"
    with archive(objects) as address:
        assert harvest(address)[0] == 0
    assert Lesion.objects.count() == 7


def nobody() -> str:
    return f"dicomweb+http://127.0.0.1:{free_port()}/dicom-web"


def test_a_server_that_may_not_be_told_the_password_is_asked_nothing(settings: Settings) -> None:
    asked: list[str] = []

    def listen(path: str) -> None:
        asked.append(path)

    with archive(hospital(), listen) as address:
        address = address.replace("//", "//harvest@")
        job = engine.enqueue(kind="harvest", params=harvesting.params_of(Order(source=address, collection="ward")))
        settings.DICOMWEB_HOSTS = ["pacs.example"]
        engine.perform(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempt) == ("failed", 1)
        assert "DICOMWEB_HOSTS" in job.message
        for dry_run in (True, False):
            with pytest.raises(CommandError, match="DICOMWEB_HOSTS"):
                harvest(address, dry_run=dry_run)
        assert Job.objects.count() == 1
        assert asked == []


def test_a_source_that_cannot_be_listed_ends_in_one_sentence_and_a_failed_job(tmp_path: Path) -> None:
    everywhere = [
        (nobody(), "nothing listens"),
        ("dicomweb+http://no-such-host.invalid/dicom-web", "its name is not known"),
        (f"dimse://PACS@127.0.0.1:{free_port()}", "nothing listens"),
    ]
    for address, words in everywhere:
        with pytest.raises(CommandError, match=words) as stopped:
            harvest(address)
        assert "\n" not in str(stopped.value)
        assert Job.objects.order_by("-pk")[0].message == str(stopped.value)
        assert reported() == {"SourceUnreachable": 1}
    certificate = authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with serving(status(200), context) as url, pytest.raises(CommandError, match="certificate is not trusted"):
        harvest(f"dicomweb+{url}/dicom-web")
    assert reported() == {"TlsFailure": 1}
    with archive(hospital(), lambda path: status(401)) as address, pytest.raises(CommandError, match="DICOMWEB_PASS"):
        harvest(address)
    assert reported() == {"AccessDenied": 1}
