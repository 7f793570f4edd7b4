"""What the pages say, in the usual case and where there is nothing to say."""

import json
import re
import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client

from datasets.models import Collection, Lesion
from tests import factories

PAGES = ("/", "/lesions/", "/statistics/", "/bodypart/", "/releases/", "/about/", "/api/docs/", "/login/")


def text(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_installation_has_pages_that_say_so(client: Client, db: None, address: str) -> None:
    page = text(client, address)
    if address in ("/", "/lesions/", "/releases/"):
        assert "Nothing is published yet" in page
    if address == "/statistics/":
        assert "No lesions here" in page
        assert "No bookmarks to count" in page


@pytest.mark.parametrize("address", [*PAGES, "/lesions/{}/", "/releases/first-1.0/", "/nowhere/"])
def test_no_page_has_an_inline_script_or_handler(client: Client, dataset: SimpleNamespace, address: str) -> None:
    page = client.get(address.format(dataset.published.pk)).content.decode()
    for attributes, content in re.findall(r"<script\b([^>]*)>(.*?)</script>", page, re.DOTALL):
        assert "src=" in attributes or 'type="application/json"' in attributes
        assert 'type="application/json"' in attributes or not content.strip()
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.parametrize("address", [*PAGES, "/lesions/{}/", "/releases/first-1.0/"])
def test_pages_have_one_heading_a_skip_link_and_captions(
    client: Client, dataset: SimpleNamespace, address: str
) -> None:
    page = text(client, address.format(dataset.published.pk))
    assert page.count("<h1") == 1
    assert '<a class="skip" href="#main">' in page
    assert page.count("<table") == page.count("<caption")
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_every_answer_carries_the_security_policy(client: Client, dataset: SimpleNamespace) -> None:
    policy = client.get("/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy or "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_the_overview_counts_what_is_published(
    client: Client, client_of: Callable[[str], Client], dataset: SimpleNamespace
) -> None:
    assert client.get("/").context["headline"].lesions == 1
    assert client_of("curator").get("/").context["headline"].lesions == 3
    assert client_of("curator").get("/?data=release:next-0.1").context["headline"].lesions == 1
    assert client.get("/?data=collection:hospital").context["headline"].patients == 1
    assert client.get("/?data=nonsense").status_code == 404


def test_the_map_sends_places_as_columns(client: Client, dataset: SimpleNamespace) -> None:
    answer = client.get("/map.bin")
    assert answer["Content-Type"] == "application/octet-stream"
    count, *_ = struct.unpack_from("<II", answer.content)
    assert count == 1
    pk, x, z, kind = struct.unpack_from("<dffb", answer.content, 8)
    assert (pk, round(x, 6), z, kind) == (dataset.published.pk, 0.4, 0.5, 5)
    assert len(answer.content) == 8 + 17


def test_the_map_says_how_many_have_no_place(client: Client, db: None) -> None:
    lesions = [factories.make_lesion(x=0.5, y=0.5, z=0.5), factories.make_lesion()]
    collection = lesions[0].slice.series.study.patient.collection
    lesions[1].slice.series.study.patient.__class__.objects.update(collection=collection)
    factories.make_release(Lesion.objects.all(), collection=collection)
    assert "1 of 2 have no location yet" in text(client, "/")


def test_an_imported_dataset_says_why_it_has_no_bookmarks(client: Client, db: None) -> None:
    collection = factories.make_collection(kind=Collection.Kind.PUBLISHED)
    patient = factories.make_patient(collection=collection)
    place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
    factories.make_release([factories.make_lesion(slice=place)], name="imported")
    assert "not the bookmarks that they came from" in text(client, "/statistics/?data=release:imported")


def test_each_figure_comes_with_its_numbers_as_a_table(client: Client, dataset: SimpleNamespace) -> None:
    factories.make_annotation(collection=dataset.collection, year=2014, reason="non_axial")
    page = text(client, "/statistics/")
    figures = re.findall(r'data-figure="([^"]+)"', page)
    assert {"figure-years", "figure-modalities", "figure-tools", "figure-reasons", "figure-boxes"} <= set(figures)
    assert page.count("<details") == len(figures)
    for name in figures:
        found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', page)
        assert found
        assert json.loads(found[1])["data"]
    assert "not on an axial slice" in page


def test_names_that_look_like_markup_are_shown_as_they_are(client: Client, db: None) -> None:
    collection = factories.make_collection(title='<script>alert("x")</script>' + "x" * 150)
    patient = factories.make_patient(collection=collection)
    place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
    factories.make_release([factories.make_lesion(slice=place)], name="odd")
    for address in ("/", "/releases/", "/releases/odd/", "/statistics/"):
        assert '<script>alert("x")' not in text(client, address)


def test_errors_have_pages(
    client: Client, client_of: Callable[[str], Client], settings: SimpleNamespace, db: None
) -> None:
    assert "Nothing here" in text(client, "/nowhere/", 404)
    settings.PUBLIC_READ = False
    assert "has no role" in client_of("nobody").get("/").content.decode()


def test_a_failure_has_a_page_without_a_traceback(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("deeplesion_site.dashboard.release_pages.totals", fail)
    factories.make_release([factories.make_lesion()], name="broken")
    client.raise_request_exception = False
    answer = client.get("/releases/")
    assert answer.status_code == 500
    assert b"Something went wrong" in answer.content
    assert b"secret detail" not in answer.content


def test_signing_in_and_out(client: Client, db: None) -> None:
    factories.make_user("curator", username="carla", password="long-enough-1")
    wrong = client.post("/login/", {"username": "carla", "password": "no"})
    assert b"do not match an account" in wrong.content
    right = client.post("/login/", {"username": "carla", "password": "long-enough-1", "next": "/lesions/"})
    assert right.url == "/lesions/"
    assert "carla" in text(client, "/")
    assert client.post("/logout/").status_code == 302
    assert "Sign in" in text(client, "/")


def test_jobs_ask_again_only_while_one_is_unfinished(client_of: Callable[[str], Client]) -> None:
    client = client_of("admin")
    assert "No jobs yet" in text(client, "/jobs/")
    done = factories.make_job(
        state="succeeded",
        result={"counts": {"lesions": 812}, "reasons": {"not_recist": 300}, "problems": ["IM3 is odd"]},
    )
    assert "every 2s" not in text(client, "/jobs/")
    page = text(client, f"/jobs/{done.pk}/")
    assert "812" in page
    assert "not recist" in page
    assert "IM3 is odd" in page
    running = factories.make_job(state="running", done=1, total=2)
    assert "every 2s" in text(client, "/jobs/")
    assert "every 2s" in text(client, f"/jobs/{running.pk}/")
    part = client.get(f"/jobs/{running.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "50 %" in part
