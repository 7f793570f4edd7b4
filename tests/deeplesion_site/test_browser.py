"""The pages in a real browser: figures, map, keys, themes, a phone's width. A console message is a failure."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.deeplesion_site.conftest import make_dataset

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 375, "height": 800}


@pytest.fixture
def site(live_server: LiveServer) -> SimpleNamespace:
    """Serve the small dataset, its picture stack included, and a second lesion of another type without one."""
    found = make_dataset()
    patient = factories.make_patient(collection=found.collection, number=9, sex="M")
    place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
    found.liver = factories.make_lesion(slice=place, type=4, long_px=50.0, x=0.3, y=0.4, z=0.6)
    factories.make_release([found.liver], name="a-release-with-a-very-long-name-" + "x" * 32)
    factories.make_annotation(collection=found.collection)
    found.url = live_server.url
    found.lesion = f"{live_server.url}/lesions/{found.published.pk}/"
    return found


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """Give a page that must stay silent: no error, no warning, no refusal by the security policy."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Without a graphics card Chromium complains of its own way to draw WebGL.
        if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size(DESKTOP)
    yield page
    assert said == []


def test_the_overview_draws_map_and_figures(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(site.url)
    expect(quiet.locator("[data-map]")).to_have_attribute("data-drawn", "2")
    expect(quiet.locator(".plot svg.main-svg").first).to_be_visible()
    assert quiet.locator(".plot").count() == quiet.locator(".plot:has(svg.main-svg)").count() == 2


def test_the_statistics_draw_every_figure(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/statistics/")
    count = quiet.locator(".plot").count()
    assert count == 9
    expect(quiet.locator(".plot:has(svg.main-svg)")).to_have_count(count)


def test_filters_change_results_and_address(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/lesions/")
    expect(quiet.locator("[data-row]")).to_have_count(2)
    quiet.get_by_role("checkbox", name="liver").check()
    expect(quiet.locator("[data-row]")).to_have_count(1)
    expect(quiet).to_have_url(f"{site.url}/lesions/?type=liver")
    quiet.get_by_label("Long diameter from (mm)").fill("100")
    expect(quiet.get_by_text("No lesion matches")).to_be_visible()
    quiet.get_by_role("link", name="Remove filter Long diameter from (mm): 100").click()
    expect(quiet.locator("[data-row]")).to_have_count(1)
    quiet.go_back()
    quiet.go_back()
    expect(quiet).to_have_url(f"{site.url}/lesions/?type=liver")
    expect(quiet.locator("[data-row]")).to_have_count(1)
    expect(quiet.get_by_role("checkbox", name="liver")).to_be_checked()


def test_the_list_is_walked_by_keys(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/lesions/?view=table")
    quiet.keyboard.press("/")
    expect(quiet.get_by_label("Patient number")).to_be_focused()
    quiet.get_by_label("Patient number").blur()
    quiet.keyboard.press("j")
    expect(quiet.locator("[data-row]").first).to_be_focused()
    quiet.keyboard.press("j")
    quiet.keyboard.press("k")
    expect(quiet.locator("[data-row]").first).to_be_focused()
    quiet.keyboard.press("Enter")
    expect(quiet).to_have_url(site.lesion)


def test_keys_change_window_slice_zoom_and_overlay(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(site.lesion)
    image, reading = quiet.locator("[data-image]"), quiet.locator("[data-slice-reading]")
    quiet.keyboard.press("0")
    expect(image).to_have_attribute("href", f"/slices/{site.published.slice_id}.png?low=-175&high=275")
    expect(reading).to_have_text("slice 20, key slice")
    quiet.keyboard.press("2")
    expect(image).to_have_attribute("href", f"/slices/{site.published.slice_id}.png?low=-1500&high=500")
    expect(quiet.get_by_role("button", name="Lung")).to_have_attribute("aria-pressed", "true")
    quiet.keyboard.press("ArrowDown")
    expect(reading).to_have_text("slice 21 (+1)")
    for _ in range(5):
        quiet.keyboard.press("ArrowUp")
    expect(reading).to_have_text("slice 18 (−2)")
    expect(quiet.locator(".axis.long")).to_be_hidden()
    quiet.get_by_role("button", name="Key slice").click()
    expect(quiet.locator(".axis.long")).to_have_attribute("x1", f"{site.published.x11 + 0.5:g}")
    whole = quiet.locator("[data-picture]").get_attribute("viewBox")
    quiet.keyboard.press("z")
    assert quiet.locator("[data-picture]").get_attribute("viewBox") != whole
    quiet.keyboard.press("o")
    expect(quiet.get_by_role("button", name="Axes")).to_have_attribute("aria-pressed", "false")


def test_the_wheel_goes_through_the_slices(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(site.lesion)
    quiet.locator("[data-stage]").hover()
    quiet.mouse.wheel(0, 100)
    expect(quiet.locator("[data-slice-reading]")).to_have_text("slice 21 (+1)")


def test_the_scale_bar_is_as_long_as_it_says(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(site.lesion)
    stage = quiet.locator("[data-stage]").bounding_box()
    assert stage
    shown_mm = float(quiet.locator("[data-scale]").inner_text().split()[0])
    length = quiet.locator("[data-scale]").evaluate("e => parseFloat(e.style.getPropertyValue('--length'))")
    screen_px_per_mm = min(stage["width"], stage["height"]) / 512 / 0.8
    assert length == pytest.approx(shown_mm * screen_px_per_mm, rel=0.01)


def test_the_theme_follows_the_system_until_one_is_chosen_and_remembered(
    browser: Browser, site: SimpleNamespace
) -> None:
    def background(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(site.url)
        dark = background(page)
        page.get_by_role("button", name="Switch between light and dark").click()
        assert background(page) != dark
        page.goto(f"{site.url}/lesions/")
        assert background(page) != dark
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(site.url)
        assert background(page) == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways(browser: Browser, site: SimpleNamespace, scheme: str) -> None:
    with browser.new_context(viewport=PHONE, color_scheme=scheme) as context:
        page = context.new_page()
        for path in (
            "/",
            "/lesions/",
            "/lesions/?view=table&type=liver",
            f"/lesions/{site.published.pk}/",
            f"/lesions/{site.liver.pk}/",
            "/statistics/",
            "/bodypart/",
            "/releases/",
            "/releases/a-release-with-a-very-long-name-" + "x" * 32 + "/",
            "/about/",
            "/api/docs/",
            "/login/",
            "/nowhere/",
        ):
            page.goto(site.url + path, wait_until="networkidle")
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, path


def test_on_a_phone_tables_are_read_without_scrolling(browser: Browser, site: SimpleNamespace) -> None:
    """Each cell below the other, with the name of its column; no name of a column of the table is broken."""
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        for path in ("/releases/", "/about/"):
            page.goto(site.url + path)
            assert page.evaluate("[...document.querySelectorAll('.stacked')].every(t => t.scrollWidth <= 375)"), path
        name = page.locator("code", has_text="Normalized_lesion_location").first
        box = name.bounding_box()
        assert box is not None
        assert box["height"] < 30
        page.goto(f"{site.url}/releases/")
        assert "Patients" in page.locator("td[data-label=Patients]").first.evaluate(
            "e => getComputedStyle(e, '::before').content"
        )


def test_the_keys_of_the_windows_are_those_that_are_told(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/lesions/{site.published.pk}/")
    expect(quiet.locator(".keys-hint")).to_contain_text("0–4 window")
    windows = quiet.locator("[data-window]")
    expect(windows).to_have_count(5)
    for key in (4, 3, 2, 1, 0):
        quiet.keyboard.press(str(key))
        expect(windows.nth(key)).to_have_attribute("aria-pressed", "true")


def test_on_a_phone_filters_are_a_drawer_and_the_menu_opens(browser: Browser, site: SimpleNamespace) -> None:
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        page.goto(f"{site.url}/lesions/")
        expect(page.get_by_label("Patient number")).to_be_hidden()
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_role("checkbox", name="liver").check()
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_label("Patient number")).to_be_hidden()
        expect(page.locator("[data-row]")).to_have_count(1)
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Statistics").click()
        expect(page.get_by_role("heading", name="Statistics")).to_be_visible()


def test_the_api_documentation_draws_itself_from_the_schema(quiet: Page, site: SimpleNamespace) -> None:
    quiet.goto(f"{site.url}/api/docs/")
    expect(quiet.locator("#operations-lesions-lesions_list")).to_be_visible()


def test_the_api_documentation_follows_the_theme(browser: Browser, site: SimpleNamespace) -> None:
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(f"{site.url}/api/docs/")
        expect(page.locator("html.dark-mode .opblock").first).to_be_visible()
        path = page.locator(".opblock-summary-path").first
        assert path.evaluate("e => getComputedStyle(e).color") in ("rgb(228, 230, 230)", "rgb(240, 241, 241)")
        page.get_by_role("button", name="Switch between light and dark").click()
        expect(page.locator("html.dark-mode")).to_have_count(0)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_code_of_a_release_is_whole_and_can_be_copied(
    browser: Browser, site: SimpleNamespace, viewport: ViewportSize
) -> None:
    with browser.new_context(viewport=viewport, permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{site.url}/releases/first-1.0/")
        for box in page.locator("pre").all():
            assert box.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
        page.get_by_role("button", name="Copy the query").click()
        expect(page.get_by_role("button", name="Copy the query")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == f'curl "{site.url}/api/v1/lesions/?release=first-1.0&type=lung&long_mm__gte=20"'


def test_paper_is_light_and_has_no_buttons(browser: Browser, site: SimpleNamespace) -> None:
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(f"{site.url}/lesions/")
        page.emulate_media(media="print")
        expect(page.get_by_role("banner")).to_be_hidden()
        expect(page.locator("#filters")).to_be_hidden()
        expect(page.locator("[data-row]").first).to_be_visible()
        colours = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert colours == ["rgb(255, 255, 255)", "rgb(20, 33, 43)"]


def test_a_curator_judges_a_lesion(quiet: Page, site: SimpleNamespace) -> None:
    factories.make_user("curator", username="carla", password="long-enough-1")
    quiet.goto(f"{site.url}/login/?next=/lesions/{site.published.pk}/")
    quiet.get_by_label("Name").fill("carla")
    quiet.get_by_label("Password").fill("long-enough-1")
    quiet.get_by_role("main").get_by_role("button", name="Sign in").click()
    quiet.get_by_label("Note").fill("a vessel")
    quiet.get_by_role("button", name="Exclude").click()
    expect(quiet.get_by_text("Recorded: not a lesion.")).to_be_visible()
    expect(quiet.locator(".history")).to_contain_text("a vessel")
