"""While lesions have no place in the body, the overview says what is being done about it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from datasets import frozen
from datasets.models import Lesion, LesionLocation, LocationModel, Slice
from datasets.services.locate import choose
from deeplesion_site.templatetags.jobs import time_left
from tests import factories
from workers.models import Job

pytestmark = pytest.mark.django_db


def unlocated():
    image = factories.make_slice(stored=True)
    lesion = factories.make_lesion(slice=image, x=None, y=None, z=None, location_source="")
    factories.make_release([lesion])
    return lesion


def test_without_any_model_the_page_says_how_to_get_one(client: Client, client_of: Callable[[str], Client]) -> None:
    unlocated()
    page = client.get("/").content.decode()
    assert 'get them from a <a href="/bodypart/">body-part regressor</a>' in page
    assert "/jobs/" not in page, "a visitor can start nothing"
    assert 'href="/jobs/new/bodypart/"' in client_of("admin").get("/").content.decode()
    assert "<canvas" not in page


def test_where_a_regressor_is_there_the_page_sends_to_it(client: Client, client_of: Callable[[str], Client]) -> None:
    unlocated()
    LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0")
    page = client.get("/").content.decode()
    assert "bpr-small-1</a>, the newest body-part regressor, has not looked at all of them." in page
    assert "/jobs/" not in page
    form = 'href="/jobs/new/locate/?model=bpr-small-1'
    assert form in client_of("admin").get("/").content.decode()
    located = unlocated()
    locate(located)
    # Beside a map as well, and with the newest.
    form = f'href="/jobs/new/locate/?model=bpr-test-{located.pk}'
    assert form in client_of("admin").get("/").content.decode()


def test_what_the_newest_regressor_cannot_place_it_is_not_sent_for_again(
    client: Client, client_of: Callable[[str], Client]
) -> None:
    model = LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0")
    without, form = unlocated(), 'href="/jobs/new/locate/?model=bpr-small-2'
    LesionLocation.objects.create(lesion=without, model=model, unknown="body")
    assert "/jobs/new/locate/" not in client_of("admin").get("/").content.decode()
    assert "found no place for them; the page of a lesion says why" in client.get("/").content.decode()
    locate(unlocated())
    assert "1 of 2 has no location and is not drawn" in client.get("/").content.decode()
    LesionLocation.objects.create(lesion=without, model=LocationModel.objects.first(), unknown="body")
    cache.clear()
    assert "/jobs/new/locate/" not in client_of("admin").get("/").content.decode()
    LocationModel.objects.create(version="bpr-small-2", trained_on="demo-1.0")
    assert form in client_of("admin").get("/").content.decode()


def test_lesions_without_an_image_are_not_offered(client_of: Callable[[str], Client]) -> None:
    LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0")
    lesion = unlocated()
    frozen.drop(connection)
    Slice.objects.filter(pk=lesion.slice_id).update(stored=False)
    assert "/jobs/new/locate/" not in client_of("admin").get("/").content.decode()


def test_while_the_regressor_learns_the_card_shows_how_far_it_is_and_how_long_it_takes(client: Client) -> None:
    unlocated()
    job = factories.make_job(kind="bodypart", state=Job.State.RUNNING, done=90, total=450)
    Job.objects.filter(pk=job.pk).update(counted_since=timezone.now() - timedelta(minutes=2))
    for address in ("/", "/locating/"):
        part = client.get(address).content.decode()
        assert 'value="20"' in part
        assert "90 of 450 steps, about 8 min left" in part
        assert "hx-get" in part
    assert "HX-Retarget" not in client.get("/locating/").headers


def test_a_job_that_waits_or_gets_ready_says_so(client: Client) -> None:
    unlocated()
    job = factories.make_job(kind="bodypart")
    assert "waiting for a worker" in client.get("/").content.decode()
    factories.move_job(job, Job.State.RUNNING)
    assert "getting ready" in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("seconds", "done", "words"),
    [(0, 50, "less than a minute left"), (60, 50, "about 1 min left"), (60, 1, "about 2 h left"), (60, 0, ""),
     (60, 100, "")],
)  # fmt: skip
def test_the_time_left_goes_by_the_part_done(seconds: int, done: int, words: str) -> None:
    started = timezone.now() - timedelta(seconds=seconds)
    assert time_left(Job(state=Job.State.RUNNING, counted_since=started, done=done, total=100)) == words
    assert time_left(Job(state=Job.State.QUEUED, done=done, total=100)) == ""


def test_when_lesions_are_located_the_card_with_the_map_takes_the_place_of_the_progress(client: Client) -> None:
    lesion = unlocated()
    assert "<canvas" not in client.get("/").content.decode()
    factories.make_job(kind="locate", state=Job.State.SUCCEEDED)
    locate(lesion)
    answer = client.get("/locating/?data=")
    assert (answer.headers["HX-Retarget"], answer.headers["HX-Reswap"]) == ("#map-card", "outerHTML")
    assert "<canvas" in answer.content.decode()
    assert "<canvas" in client.get("/").content.decode()


def test_a_failure_ends_the_waiting(client: Client, client_of: Callable[[str], Client]) -> None:
    unlocated()
    job = factories.make_job(kind="bodypart", state=Job.State.FAILED, message="no slices to learn from")
    answer = client.get("/locating/")
    assert "The lesions could not be located. No slices to learn from." in answer.content.decode()
    assert "hx-get" not in answer.content.decode()
    assert "/jobs/" not in answer.content.decode()
    assert f'href="/jobs/{job.pk}/"' in client_of("admin").get("/locating/").content.decode()


def test_those_who_see_everything_get_the_map_at_once_too(client_of: Callable[[str], Client]) -> None:
    lesion, curator = unlocated(), client_of("curator")
    assert "<canvas" not in curator.get("/").content.decode()
    locate(lesion)
    assert "<canvas" in curator.get("/").content.decode()


def test_lesions_that_wait_beside_a_map_show_their_progress_below_it(client: Client) -> None:
    locate(unlocated())
    unlocated()
    assert "hx-get" not in client.get("/").content.decode()
    factories.make_job(kind="locate", state=Job.State.RUNNING, done=1, total=2)
    page = client.get("/").content.decode()
    assert "<canvas" in page
    assert "1 of 2 series" in page
    assert (
        'One lesion more gets its place from a <a href="/bodypart/">body-part regressor</a>, which is placing them'
        in page
    )


def locate(lesion: Lesion) -> None:
    model = LocationModel.objects.create(version=f"bpr-test-{lesion.pk}", trained_on="x")
    LesionLocation.objects.create(lesion=lesion, model=model, x=0.4, y=0.5, z=0.6)
    choose(collection=lesion.slice.series.study.patient.collection, model=model)


class TestInABrowser:
    """The card as a person sees it while the worker is busy."""

    def test_the_map_appears_without_a_reload(self, page: Page, live_server: LiveServer) -> None:
        cache.clear()
        lesion = unlocated()
        job = factories.make_job(kind="locate", state=Job.State.RUNNING, done=1, total=4)
        page.goto(live_server.url)
        expect(page.get_by_text("1 of 4 series")).to_be_visible()
        page.evaluate("window.stayed = true")
        Job.objects.filter(pk=job.pk).update(done=2)
        expect(page.get_by_text("2 of 4 series")).to_be_visible()
        locate(lesion)
        job.refresh_from_db()
        factories.move_job(job, Job.State.SUCCEEDED)
        expect(page.locator("[data-map]")).to_have_attribute("data-drawn", "1")
        assert page.evaluate("window.stayed") is True
        assert page.locator(".locating").count() == 0
