"""Downloads as a person gets them: signed out, signed in, once the agreement is signed, and by the printed curl."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from datasets.models import Release
from deeplesion_site.accounts import agreements, tokens
from tests import factories
from tests.deeplesion_site.conftest import make_dataset

FIRST = "File_name,"


@pytest.fixture
def site(live_server: LiveServer) -> SimpleNamespace:
    """Serve the small dataset to a researcher."""
    make_dataset()
    user = factories.make_user("researcher", username="rita", password="long-enough-1")
    return SimpleNamespace(url=live_server.url, release=f"{live_server.url}/releases/first-1.0/", user=user)


def test_the_way_to_a_download_leads_over_sign_in_and_agreement(page: Page, site: SimpleNamespace) -> None:
    page.goto(site.release)
    expect(page.get_by_role("link", name="DL_info.csv")).to_have_count(0)
    page.get_by_role("link", name="Sign in to download").click()
    page.get_by_label("Name").fill("rita")
    page.get_by_label("Password").fill("long-enough-1")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Sign the data-use agreement").click()
    page.get_by_label("Full name").fill("Rita Reader")
    page.get_by_label("Institution").fill("University")
    page.get_by_label("I have read").check()
    page.get_by_role("button", name="Sign and go on").click()
    expect(page).to_have_url(site.release)
    with page.expect_download() as begun:
        page.get_by_role("link", name="DL_info.csv").click()
    assert begun.value.suggested_filename == "DL_info.csv"
    assert Path(begun.value.path()).read_text().startswith(FIRST)


def test_the_printed_curl_gets_the_table_with_a_token_and_nothing_without(
    page: Page, site: SimpleNamespace, tmp_path: Path
) -> None:
    page.goto(site.release)
    command = page.locator("#code-download").inner_text().splitlines()[0]
    release = Release.objects.get(name="first-1.0")
    agreements.sign(user=site.user, release=release, full_name="R. Reader", institution="Institute", agrees=True)
    _, secret = tokens.issue(owner=site.user, name="laptop", scopes=["download"], days=1)

    def curl(token: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env={**os.environ, "TOKEN": token}, check=False, capture_output=True
        )

    assert curl("").returncode != 0
    assert not (tmp_path / "DL_info.csv").exists()
    assert curl(secret).returncode == 0
    assert (tmp_path / "DL_info.csv").read_text().startswith(FIRST)
