"""A job in a real browser: started from its form, watched to its end without a reload; another one cancelled."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from deeplesion_site.accounts import tokens
from tests import factories
from workers import engine
from workers.models import Job

PATIENCE_MS = 30_000


@pytest.fixture
def site(live_server: LiveServer) -> SimpleNamespace:
    """Serve a release of one lesion with its slice."""
    lesion = factories.make_lesion(slice=factories.make_slice(pixels=np.full((512, 512), 40)))
    factories.make_release([lesion], name="small-1.0")
    return SimpleNamespace(url=live_server.url)


@pytest.fixture
def admin(page: Page, site: SimpleNamespace) -> Iterator[Page]:
    """Give a page of an administrator who is signed in; it must stay silent and never scroll sideways."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    user = factories.make_user("admin")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": site.url}
    page.context.add_cookies([cookie])
    page.set_viewport_size({"width": 375, "height": 800})
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert said == []


def perform(job: Job) -> None:
    """Do a job as a worker does, beside the site."""

    def work() -> None:
        try:
            engine.perform(job.pk)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


def test_start_a_job_watch_it_end_and_cancel_another(admin: Page, site: SimpleNamespace) -> None:
    admin.goto(f"{site.url}/jobs/")
    admin.get_by_role("link", name="New job").click()
    admin.get_by_role("link", name="prepare downloads").click()
    admin.get_by_label("Release").select_option("small-1.0")
    admin.get_by_role("button", name="Check what it costs").click()
    expect(admin.get_by_text("1 lesion", exact=True)).to_be_visible()
    admin.get_by_role("button", name="Start the job").click()
    expect(admin.get_by_text("waiting for a worker")).to_be_visible()
    admin.evaluate("window.same = true")
    perform(Job.objects.get())
    expect(admin.get_by_role("link", name="Release small-1.0")).to_be_visible(timeout=PATIENCE_MS)
    assert admin.evaluate("window.same")
    expect(admin.get_by_role("listitem").filter(has_text="started")).to_be_visible()
    assert admin.locator("[hx-trigger]").count() == 0

    other = engine.enqueue(kind="manifest", params={"release": "small-1.0"})
    admin.goto(f"{site.url}/jobs/{other.pk}/")
    admin.get_by_role("link", name="Cancel").click()
    expect(admin.get_by_text("it will not begin")).to_be_visible()
    admin.get_by_role("button", name="Cancel the job").click()
    expect(admin.locator("h1 + .badge")).to_have_text("cancelled")
    expect(admin.get_by_role("link", name="Retry")).to_be_visible()
    other.refresh_from_db()
    assert other.state == "cancelled"


def test_an_account_with_tokens_is_read_on_a_phone_without_scrolling(admin: Page, site: SimpleNamespace) -> None:
    owner = User.objects.get()
    for name in ("training script on node 3", "prometheus", "nightly export of the department"):
        tokens.issue(owner=owner, name=name, scopes=["read", "download", "jobs"], days=30)
    admin.goto(f"{site.url}/account/")
    assert admin.evaluate("document.querySelector('.stacked').getBoundingClientRect().width") <= 375
    told = admin.locator("td[data-label='Last used']").first
    expect(told).to_have_text("never")
    assert "Last used" in told.evaluate("cell => getComputedStyle(cell, '::before').content")
