"""The detector's pages in a real browser: figures, a growing curve, pictures, two ticks. The console stays silent."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from datasets.models import Split
from detection.models import TrainingRun
from tests import factories
from tests import factories_detection as made
from tests.deeplesion_site.conftest import make_dataset
from tests.peers.process import wait_until

DRAWN_WITHIN_S = 30.0
PHONE = {"width": 375, "height": 800}


@pytest.fixture
def site(live_server: LiveServer) -> SimpleNamespace:
    """Serve a finished run, two that can be compared with it, one that trains and one that failed."""
    found = make_dataset()
    second = found.drafted
    factories.make_release([found.published, second], name="both-1.0", split=Split.TEST)
    found.run = found.evaluation.run
    found.others = [made.make_evaluation(run=made.make_run(state="trained", fraction=part)) for part in (0.5, 0.25)]
    found.training = made.make_run(state="training", seconds_left=100.0)
    found.failed = made.make_run(state="failed", message="the device's memory is too small", options={"flip": True})
    found.url = live_server.url
    return found


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """Give a page that must stay silent: no error, no warning, no refusal by the security policy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []


def test_every_figure_of_a_run_is_drawn(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/runs/{site.run.pk}/")
    expect(quiet.locator(".plot")).to_have_count(6)
    expect(quiet.locator(".plot:has(svg.main-svg)")).to_have_count(6, timeout=1000 * DRAWN_WITHIN_S)
    expect(quiet.locator("#plot-froc .scatterlayer .trace")).not_to_have_count(0)


def test_a_picture_opens_its_lesion_and_others_are_fetched_in_place(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/runs/{site.run.pk}/")
    expect(quiet.locator(".picture")).to_have_count(2)
    quiet.get_by_role("link", name="Worst misses").click()
    expect(quiet.locator(".picture")).to_have_count(1)
    expect(quiet.locator(".picture")).to_contain_text("missed")
    expect(quiet.locator(".plot")).to_have_count(6)
    quiet.get_by_role("link", name="At random").click()
    expect(quiet.locator(".picture")).to_have_count(2)
    shown = quiet.locator(".picture", has_text="000001_01_01_020.png")
    expect(shown.locator("rect.truth")).to_have_css("stroke", "rgb(255, 221, 0)")
    expect(shown.locator("rect.truth")).to_have_css("stroke-dasharray", "5px, 4px")
    expect(shown.locator("rect.correct")).to_have_css("stroke", "rgb(34, 211, 107)")
    shown.get_by_role("link").click()
    expect(quiet).to_have_url(f"{site.url}/lesions/{site.published.pk}/?release=first-1.0")


def test_the_curve_of_a_run_in_training_grows_without_a_reload(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/runs/{site.training.pk}/")

    def last() -> int:
        return int(quiet.evaluate("document.querySelector('#plot-losses').data?.[0].x.at(-1) ?? 0"))

    assert wait_until(lambda: last() == 100, DRAWN_WITHIN_S)
    quiet.evaluate("window.kept = true")
    curve = site.training.curve
    for values in curve["train"].values():
        values.append(values[-1] + 10)
    TrainingRun.objects.filter(pk=site.training.pk).update(step=110, curve=curve)
    assert wait_until(lambda: last() == 110, DRAWN_WITHIN_S)
    expect(quiet.get_by_text("step 110 of 200")).to_be_visible()
    assert quiet.evaluate("window.kept"), "the page was not loaded anew"


def test_a_third_tick_takes_the_place_of_the_first_and_two_are_compared(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/runs/")
    boxes = [quiet.get_by_role("checkbox", name=f"Compare run {each.run_id}", exact=True) for each in site.others]
    first = quiet.get_by_role("checkbox", name=f"Compare run {site.run.pk}", exact=True)
    for box in (first, *boxes):
        box.check()
    expect(first).not_to_be_checked()
    quiet.get_by_role("button", name="Compare two runs").click()
    expect(quiet.locator("#plot-two-runs svg.main-svg").first).to_be_visible(timeout=1000 * DRAWN_WITHIN_S)
    expect(quiet.get_by_text("No difference is shown")).to_be_visible()


def test_the_table_is_sorted_by_its_headings(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/runs/")
    quiet.get_by_role("link", name="Share").click()
    expect(quiet.locator("tbody tr").last).to_contain_text("25%")
    quiet.get_by_role("link", name="Share").click()
    expect(quiet.locator("tbody tr").first).to_contain_text("25%")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways(browser: Browser, site: SimpleNamespace, scheme: str) -> None:
    with browser.new_context(viewport=PHONE, color_scheme=scheme) as context:
        page = context.new_page()
        pair = "&".join(f"run={each.run_id}" for each in site.others)
        for path in (
            "/runs/",
            f"/runs/{site.run.pk}/",
            f"/runs/{site.training.pk}/",
            f"/runs/{site.failed.pk}/",
            f"/runs/compare/?{pair}",
        ):
            page.goto(site.url + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_load_state("load")
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, path
