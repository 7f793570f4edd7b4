"""Guessing passwords ends soon, whoever stands between the guesser and us."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from deeplesion_site.accounts.models import Action, AuditEntry

PASSWORD = "correct horse battery"


def test_who_guesses_passwords_is_locked_out_and_others_are_not(client: Client, db: None) -> None:
    for name in ("ada", "bob"):
        User.objects.create_user(username=name, password=PASSWORD)
    codes = [client.post("/login/", {"username": "ada", "password": f"guess {n}"}).status_code for n in range(10)]
    assert codes == [200] * 9 + [429]
    locked = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert locked.status_code == 429
    assert b"Too many wrong passwords" in locked.content
    assert client.post("/login/", {"username": "bob", "password": PASSWORD}).status_code == 302
    assert [entry.action for entry in AuditEntry.objects.order_by("id")][-1] == Action.SIGNED_IN
    assert AuditEntry.objects.filter(action=Action.LOCKED_OUT, actor=None, subject="ada").exists()


def guess(name: str, times: int, **headers: str) -> int:
    """Try wrong passwords; return the status of the last answer."""
    client = Client(headers=headers)
    codes = [client.post("/login/", {"username": name, "password": f"guess {n}"}).status_code for n in range(times)]
    return codes[-1]


def test_who_guesses_at_many_names_is_locked_out_for_all_of_them(db: None, settings: Settings) -> None:
    settings.LOGIN_FAILURES_OF_ADDRESS = 12
    User.objects.create_user(username="ada", password=PASSWORD)
    assert [guess(f"name-{number}", 4) for number in range(3)] == [200, 200, 429]
    sign_in = {"username": "ada", "password": PASSWORD}
    assert Client().post("/login/", sign_in).status_code == 429
    assert Client(REMOTE_ADDR="10.0.0.9").post("/login/", sign_in).status_code == 302


def test_behind_proxies_of_ours_wrong_passwords_count_by_the_address_that_they_saw(
    db: None, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 2
    assert guess("ada", 10, x_forwarded_for="1.1.1.1, 10.0.0.1, 10.9.9.9") == 429
    assert AuditEntry.objects.filter(action=Action.LOCKED_OUT, details={"address": "10.0.0.1"}).exists()
    assert guess("ada", 1, x_forwarded_for="2.2.2.2, 10.0.0.1, 10.9.9.9") == 429, "what stands before is invented"
    assert guess("ada", 1, x_forwarded_for="10.0.0.2, 10.9.9.9") == 200
    assert guess("ada", 1, x_forwarded_for="2001:db8::1, 10.9.9.9") == 200


def test_all_addresses_of_an_ipv6_network_are_one(db: None) -> None:
    codes = [
        Client(REMOTE_ADDR=f"2001:db8:1:2::{number}").post("/login/", {"username": "ada", "password": "guess"})
        for number in range(1, 11)
    ]
    assert [answer.status_code for answer in codes] == [200] * 9 + [429]
    assert AuditEntry.objects.get(action=Action.LOCKED_OUT).details == {"address": "2001:db8:1:2::"}
    other = Client(REMOTE_ADDR="2001:db8:1:3::1")
    assert other.post("/login/", {"username": "ada", "password": "guess"}).status_code == 200


@pytest.mark.parametrize(("proxies", "said"), [(0, "{}.0.0.1"), (1, "nobody"), (2, "{}.0.0.1"), (1, "")])
def test_what_no_proxy_of_ours_says_changes_no_address(proxies: int, said: str, db: None, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert [guess("ada", 1, x_forwarded_for=said.format(number)) for number in range(10)] == [200] * 9 + [429]
    assert AuditEntry.objects.get(action=Action.LOCKED_OUT).details == {"address": "127.0.0.1"}


def test_what_was_typed_for_a_name_is_not_logged_when_nobody_is_locked_out(client: Client, db: None) -> None:
    for _ in range(10):
        client.post("/login/", {"username": PASSWORD, "password": "ada"})
    assert AuditEntry.objects.filter(action=Action.LOCKED_OUT, subject="").exists()
    assert PASSWORD not in str(list(AuditEntry.objects.values()))
