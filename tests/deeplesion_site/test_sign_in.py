"""Signing in to a site that others reach, and what an administrator may take away again."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deeplesion_site.accounts.demo import DEMO_ACCOUNTS, create_demo_accounts

ClientOf = Callable[[str], Client]


@pytest.mark.parametrize("name", DEMO_ACCOUNTS)
def test_the_demo_s_passwords_open_no_site_that_others_reach(
    name: str, client: Client, settings: SimpleNamespace, db: None
) -> None:
    create_demo_accounts()
    form = {"username": name, "password": DEMO_ACCOUNTS[name]}
    settings.PRODUCTION = True
    answer = client.post("/login/", form)
    assert f"manage.py changepassword {name}" in answer.content.decode()
    assert not client.session.get("_auth_user_id")
    user = User.objects.get(username=name)
    user.set_password("one of our own 7")
    user.save()
    assert client.post("/login/", form | {"password": "one of our own 7"}).status_code == 302


def test_they_open_the_demo(client: Client, db: None) -> None:
    create_demo_accounts()
    assert client.post("/login/", {"username": "admin", "password": DEMO_ACCOUNTS["admin"]}).status_code == 302


def test_the_first_administrator_can_be_made_less(client_of: ClientOf, client: Client) -> None:
    first = User.objects.create_superuser("first", password="a superuser 3")
    client.force_login(first)
    assert client.get("/audit/").status_code == 200
    admin = client_of("admin")
    admin.post(f"/people/{first.pk}/", {"role": "admin", "active": "on"})
    assert client.get("/audit/").status_code == 200
    admin.post(f"/people/{first.pk}/", {"role": "researcher", "active": "on"})
    assert client.get("/audit/").status_code == 404
    assert client.get("/lesions/").status_code == 200
