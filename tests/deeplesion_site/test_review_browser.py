"""The review queue in a real browser: verdicts by key, the next card without a reload, undo, conflicts, a phone."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from datasets.models import Review
from tests import factories

SMALL = [{"reason": "too small", "value": 30.0, "threshold": 35.0}]


@pytest.fixture
def site(live_server: LiveServer) -> SimpleNamespace:
    """Serve three flagged lesions and one proposed pair, with their slices."""
    collection = factories.make_collection(slug="hospital", title="Hospital")
    pixels = np.full((512, 512), -1000)
    pixels[100:400, 100:400] = 40
    series = factories.make_series(
        study=factories.make_study(patient=factories.make_patient(collection=collection)), slice_interval=5.0
    )
    places = [factories.make_slice(series=series, number=number, pixels=pixels) for number in (10, 11, 12)]
    flagged = [
        factories.make_lesion(slice=place, possibly_noisy=True, noise_reasons=SMALL, centre=(200.0, 200.0 + 40 * row))
        for row, place in enumerate(places)
    ]
    near = [factories.make_lesion(slice=places[0], centre=(x, 350.0)) for x in (250.0, 262.0)]
    pair = factories.make_proposal(*near)
    return SimpleNamespace(url=live_server.url, flagged=flagged, pair=pair, near=near)


@pytest.fixture
def curator(page: Page, site: SimpleNamespace) -> Iterator[Page]:
    """Give a page of a curator who is signed in; it must stay silent."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": _session(), "url": site.url}])
    page.set_viewport_size({"width": 1280, "height": 900})
    yield page
    assert said == []


def _session() -> str:
    """The session of a new curator, made without a sign-in: that is logged, and the log cannot be flushed."""
    user = factories.make_user("curator")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def card(page: Page, site: SimpleNamespace, kind: str, pk: int) -> None:
    expect(page).to_have_url(f"{site.url}/review/{kind}/{pk}/")


def test_keys_judge_one_card_after_the_other_without_a_reload(curator: Page, site: SimpleNamespace) -> None:
    first, second, third = site.flagged
    curator.goto(f"{site.url}/review/")
    curator.get_by_role("link", name="Start reviewing").click()
    card(curator, site, "flagged", first.pk)
    curator.wait_for_load_state()
    curator.evaluate("window.sameDocument = true")
    curator.keyboard.press("x")
    card(curator, site, "flagged", second.pk)
    expect(curator.get_by_text("Recorded: not a lesion")).to_be_visible()
    expect(curator.locator("[data-image]")).to_have_attribute(
        "href", f"/slices/{second.slice_id}.png?low=-1500&high=500"
    )
    curator.keyboard.press("u")
    card(curator, site, "flagged", first.pk)
    expect(curator.get_by_text("It waits for a verdict again")).to_be_visible()
    curator.keyboard.press("k")
    card(curator, site, "flagged", second.pk)
    curator.keyboard.press("n")
    card(curator, site, "flagged", third.pk)
    curator.keyboard.press("k")
    card(curator, site, "pairs", site.pair.pk)
    assert curator.evaluate("window.sameDocument") is True
    assert list(Review.objects.order_by("pk").values_list("verdict", flat=True)) == [
        "reject",
        "withdrawn",
        "keep",
        "keep",
    ]


def test_a_key_right_after_the_next_card_came_judges_it_without_a_reload(curator: Page, site: SimpleNamespace) -> None:
    first, second, third = site.flagged
    curator.goto(f"{site.url}/review/flagged/{first.pk}/")
    curator.evaluate(
        """() => {
          window.sameDocument = true;
          const press = () => document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "k", bubbles: true}));
          document.body.addEventListener("htmx:afterSwap", () => setTimeout(press, 0), {once: true});
        }"""
    )
    curator.keyboard.press("k")
    card(curator, site, "flagged", third.pk)
    assert curator.evaluate("window.sameDocument") is True
    assert list(Review.objects.order_by("pk").values_list("lesion", "verdict")) == [
        (first.pk, "keep"),
        (second.pk, "keep"),
    ]


def test_a_pair_is_seen_side_by_side_and_merged_by_key(curator: Page, site: SimpleNamespace) -> None:
    curator.goto(f"{site.url}/review/pairs/{site.pair.pk}/")
    expect(curator.locator("[data-stage]")).to_have_count(2)
    expect(curator.locator(".axis.other")).to_have_count(4)
    readings = curator.locator("[data-slice-reading]")
    curator.keyboard.press("ArrowDown")
    assert readings.all_inner_texts() == ["slice 11 (+1)"] * 2, "both go along"
    curator.keyboard.press("2")
    expect(curator.get_by_role("button", name="Lung", pressed=True)).to_have_count(2)
    curator.keyboard.press("m")
    card(curator, site, "flagged", site.flagged[0].pk)
    assert site.near[0].averages.count() == 1


def test_the_keys_are_shown_and_letters_in_the_note_judge_nothing(curator: Page, site: SimpleNamespace) -> None:
    curator.goto(f"{site.url}/review/flagged/{site.flagged[0].pk}/")
    curator.keyboard.press("?")
    expect(curator.get_by_role("dialog")).to_contain_text("it is not a lesion")
    curator.keyboard.press("k")
    curator.keyboard.press("Escape")
    expect(curator.get_by_role("dialog")).to_be_hidden()
    curator.get_by_label("Note").fill("")
    curator.get_by_label("Note").press_sequentially("kxu")
    assert not Review.objects.exists()
    curator.get_by_role("button", name="Keep").click()
    card(curator, site, "flagged", site.flagged[1].pk)
    assert Review.objects.get().note == "kxu"


def test_a_verdict_that_somebody_gave_meanwhile_is_shown_instead(curator: Page, site: SimpleNamespace) -> None:
    lesion = site.flagged[0]
    curator.goto(f"{site.url}/review/flagged/{lesion.pk}/")
    factories.make_review(lesion=lesion, reviewer=factories.make_user("curator", username="anna"))
    curator.keyboard.press("x")
    expect(curator.get_by_text("anna was faster")).to_be_visible()
    expect(curator.locator(".history")).to_contain_text("anna")
    assert lesion.reviews.count() == 1


def test_filters_narrow_the_queue_and_its_address(curator: Page, site: SimpleNamespace) -> None:
    curator.goto(f"{site.url}/review/")
    expect(curator.locator(".queue .tile")).to_have_count(3)
    curator.get_by_label("Reason").select_option("overlap")
    expect(curator.locator(".queue .tile")).to_have_count(1)
    expect(curator.locator(".two-pictures")).to_have_count(1)
    curator.get_by_label("Reason").select_option("")
    expect(curator).to_have_url(f"{site.url}/review/?kind=pairs&collection=&type=&reason=&state=")
    curator.get_by_label("Type").select_option("liver")
    expect(curator.get_by_text("Nothing here matches")).to_be_visible()


@pytest.mark.parametrize("kind", ["flagged", "pairs"])
def test_a_phone_shows_the_card_in_its_width(kind: str, curator: Page, site: SimpleNamespace) -> None:
    curator.set_viewport_size({"width": 375, "height": 800})
    subject = site.pair if kind == "pairs" else site.flagged[0]
    if kind == "flagged":
        wide = {"reason": "nothing but pixel noise", "value": 1.11, "threshold": 1.2}
        subject.noise_reasons = [wide, *subject.noise_reasons]
        subject.save(update_fields=["noise_reasons"])
    for address in (f"/review/?kind={kind}", f"/review/{kind}/{subject.pk}/"):
        curator.goto(f"{site.url}{address}")
        assert curator.evaluate("document.documentElement.scrollWidth") == 375
    button = curator.get_by_role("button", name="merge" if kind == "pairs" else "Keep")
    expect(button).to_be_in_viewport()
