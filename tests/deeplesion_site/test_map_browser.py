"""The map of lesions in a real browser: hover, click, keys, regions by mouse, finger and keys, both renderers."""

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories

PLACES = {"lung": (5, 0.4, 0.5), "liver": (4, 0.25, 0.6), "kidney": (6, 0.6, 0.65), "pelvis": (8, 0.45, 0.8)}
NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl2" ? null : get.call(this, kind, ...rest);
};"""


@pytest.fixture
def site(live_server: LiveServer) -> SimpleNamespace:
    """Serve one lesion of four types each, placed by a model."""
    collection = factories.make_collection(title="Hospital")
    lesions = {}
    for number, (name, (kind, x, z)) in enumerate(PLACES.items(), start=1):
        patient = factories.make_patient(collection=collection, number=number)
        place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
        lesions[name] = factories.make_lesion(slice=place, type=kind, x=x, y=0.5, z=z, location_source="bpr-small-1")
    factories.make_release(lesions.values(), name="four-1.0")
    return SimpleNamespace(url=live_server.url, **lesions)


@pytest.fixture
def overview(page: Page, site: SimpleNamespace) -> Iterator[Page]:
    """Give the overview with its map drawn; script errors are failures."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 1000})
    ready(page, site)
    yield page
    assert said == []


def ready(page: Page, site: SimpleNamespace) -> None:
    page.goto(site.url)
    expect(page.locator("[data-map]")).to_have_attribute("data-drawn", "4")
    page.locator("[data-map]").scroll_into_view_if_needed()


def at(page: Page, x: float, z: float) -> tuple[float, float]:
    """Where a place of the body is on the screen, by the drawn body itself."""
    found = page.evaluate(
        """([x, z]) => {
          const { left, top } = document.querySelector("[data-map]").getBoundingClientRect();
          const { a, d, e, f } = document.querySelector("[data-map-body]").transform.baseVal.consolidate().matrix;
          return [left + x * a + e, top + z * d + f];
        }""",
        [x, z],
    )
    return found[0], found[1]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*at(page, *end))
    page.mouse.up()


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_a_mark_tells_of_its_lesion_and_opens_it(page: Page, site: SimpleNamespace, renderer: str) -> None:
    if renderer == "canvas":
        page.add_init_script(NO_WEBGL)
    ready(page, site)
    assert page.locator("[data-map]").get_attribute("data-drawn-by") == renderer
    page.mouse.move(*at(page, 0.25, 0.6))
    expect(page.locator(".map-tip")).to_contain_text("liver")
    page.mouse.move(*at(page, 0.9, 0.9))
    expect(page.locator(".map-tip")).to_be_hidden()
    page.mouse.click(*at(page, 0.4, 0.5))
    expect(page).to_have_url(f"{site.url}/lesions/{site.lung.pk}/")


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_marks_have_the_colour_of_their_type(page: Page, site: SimpleNamespace, renderer: str) -> None:
    if renderer == "canvas":
        page.add_init_script(NO_WEBGL)
    ready(page, site)
    painted = page.evaluate(
        """async ([x, z]) => {
          const canvas = document.querySelector("[data-map] canvas");
          window.dispatchEvent(new Event("resize"));
          document.dispatchEvent(new Event("themechange"));
          const { a, d, e, f } = document.querySelector("[data-map-body]").transform.baseVal.consolidate().matrix;
          const ratio = canvas.width / canvas.clientWidth;
          return await new Promise((give) => requestAnimationFrame(() => {
            const { width, height } = canvas;
            const copy = Object.assign(document.createElement("canvas"), { width, height });
            const context = copy.getContext("2d");
            context.drawImage(canvas, 0, 0);
            give([...context.getImageData((x * a + e) * ratio, (z * d + f) * ratio, 1, 1).data]);
          }));
        }""",
        [0.25, 0.6],
    )
    red, green, blue, alpha = painted
    assert alpha > 200
    assert red > 2 * green
    assert red > 2 * blue


def test_a_drawn_region_asks_the_list_for_what_lies_in_it(overview: Page, site: SimpleNamespace) -> None:
    drag(overview, (0.15, 0.55), (0.7, 0.7))
    button = overview.locator("[data-map-region] [type=submit]")
    expect(button).to_have_text("List 2 lesions")
    button.click()
    expect(overview.locator("[data-row]")).to_have_count(2)
    address = overview.url
    assert "x__gte=0.1" in address
    assert "z__lte=0.7" in address
    overview.go_back()
    expect(overview.locator("[data-map]")).to_have_attribute("data-drawn", "4")


def test_the_address_follows_the_region_and_brings_it_back(overview: Page, site: SimpleNamespace) -> None:
    drag(overview, (0.15, 0.55), (0.7, 0.7))
    expect(overview).to_have_url(re.compile(r"/\?x__gte=0\.1\d*&x__lte=0\.7\d*&z__gte=0\.5\d*&z__lte=0\.7\d*$"))
    overview.goto(overview.url)
    expect(overview.locator("[data-map-region] [type=submit]")).to_have_text("List 2 lesions")
    expect(overview.locator("[data-map-rect]")).to_be_visible()
    overview.get_by_role("button", name="Clear").click()
    expect(overview).to_have_url(f"{site.url}/")


def test_an_address_of_no_region_shows_the_whole_map(page: Page, site: SimpleNamespace) -> None:
    page.goto(f"{site.url}/?x__gte=left&z__gte=7")
    expect(page.locator("[data-map]")).to_have_attribute("data-drawn", "4")
    expect(page.locator("[data-map-region] [type=submit]")).to_have_text("List lesions")
    expect(page).to_have_url(f"{site.url}/")


def test_hidden_types_stay_out_of_the_region(overview: Page, site: SimpleNamespace) -> None:
    overview.locator("[data-map-type='4']").click()
    drag(overview, (0.15, 0.55), (0.7, 0.7))
    button = overview.locator("[data-map-region] [type=submit]")
    expect(button).to_have_text("List 1 lesion")
    button.click()
    expect(overview.locator("[data-row]")).to_have_count(1)
    expect(overview.locator(".tile-type")).to_have_text("kidney")


def test_a_region_is_typed_and_cleared(overview: Page, site: SimpleNamespace) -> None:
    overview.get_by_label("z from, 0 is the head").fill("0.7")
    expect(overview.locator("[data-map-region] [type=submit]")).to_have_text("List 1 lesion")
    expect(overview.locator("[data-map-rect]")).to_be_visible()
    overview.get_by_role("button", name="Clear").click()
    expect(overview.locator("[data-map-rect]")).to_be_hidden()
    expect(overview.get_by_label("z from, 0 is the head")).to_have_value("")


def test_keys_go_from_mark_to_mark_open_and_draw(overview: Page, site: SimpleNamespace) -> None:
    canvas = overview.locator("[data-map] canvas")
    canvas.focus()
    overview.keyboard.press("ArrowUp")
    overview.keyboard.press("ArrowDown")
    expect(overview.locator(".map-tip")).to_contain_text("kidney")
    overview.keyboard.press("ArrowLeft")
    expect(overview.locator(".map-tip")).to_contain_text("liver")
    expect(overview.locator("[data-map-said]")).to_contain_text("liver")
    for _ in range(3):
        overview.keyboard.press("Shift+ArrowRight")
    expect(overview.locator("[data-map-rect]")).to_be_visible()
    expect(overview.locator("[data-map-region] [type=submit]")).to_have_text("List 1 lesion")
    overview.keyboard.press("Escape")
    expect(overview.locator("[data-map-rect]")).to_be_hidden()
    overview.keyboard.press("Shift+ArrowDown")
    overview.keyboard.press("Enter")
    expect(overview.locator("[data-row]")).to_have_count(1)
    overview.go_back()
    expect(overview.locator("[data-map]")).to_have_attribute("data-drawn", "4")
    expect(overview.locator("[data-map-rect]")).to_be_visible()
    canvas.focus()
    overview.keyboard.press("Escape")
    overview.keyboard.press("ArrowLeft")
    expect(overview.locator(".map-tip")).to_be_visible()
    overview.keyboard.press("Enter")
    expect(overview).to_have_url(f"{site.url}/lesions/{site.lung.pk}/")


def test_zoomed_in_a_drag_moves_the_map_and_select_draws(overview: Page, site: SimpleNamespace) -> None:
    overview.get_by_role("button", name="Zoom in").click()
    before = at(overview, 0.4, 0.5)
    drag(overview, (0.5, 0.6), (0.45, 0.55))
    expect(overview.locator("[data-map-rect]")).to_be_hidden()
    assert at(overview, 0.4, 0.5) != before
    overview.get_by_role("button", name="Select").click()
    drag(overview, (0.5, 0.6), (0.7, 0.7))
    expect(overview.locator("[data-map-region] [type=submit]")).to_have_text("List 1 lesion")


def test_a_finger_taps_twice_and_draws_with_select(browser: Browser, site: SimpleNamespace) -> None:
    with browser.new_context(viewport={"width": 375, "height": 900}, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        ready(page, site)
        page.touchscreen.tap(*at(page, 0.4, 0.5))
        expect(page.locator(".map-tip")).to_contain_text("lung")
        expect(page).to_have_url(f"{site.url}/")
        page.get_by_role("button", name="Select").tap()
        finger = context.new_cdp_session(page)
        for kind, place in (
            ("touchStart", (0.15, 0.55)),
            ("touchMove", (0.5, 0.6)),
            ("touchMove", (0.7, 0.7)),
            ("touchEnd", None),
        ):
            points = [dict(zip("xy", at(page, *place), strict=True))] if place else []
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        expect(page.locator("[data-map-region] [type=submit]")).to_have_text("List 2 lesions")
        page.touchscreen.tap(*at(page, 0.4, 0.5))
        page.touchscreen.tap(*at(page, 0.4, 0.5))
        expect(page).to_have_url(f"{site.url}/lesions/{site.lung.pk}/")


def test_the_map_says_who_placed_its_lesions(overview: Page, site: SimpleNamespace) -> None:
    expect(overview.locator(".map-sources")).to_contain_text("Hospital: 4 placed by bpr-small-1")
