"""Tokens, agreements, accounts and the audit log, as their users meet them."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from deeplesion_site.accounts import people, tokens
from deeplesion_site.accounts.models import AccessToken, Action, Agreement, AuditEntry
from tests import factories

ClientOf = Callable[[str], Client]
PASSWORD = "correct horse battery"


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def token_for(role: str, *scopes: str) -> str:
    return tokens.issue(owner=factories.make_user(role), name="script", scopes=list(scopes), days=30)[1]


def test_a_token_is_shown_once_and_kept_as_a_keyed_hash(client_of: ClientOf) -> None:
    client = client_of("researcher")
    answer = client.post("/account/tokens/", {"name": "node 3", "scope": ["read", "download"], "days": "30"})
    secret = answer.context["secret"]
    assert secret.startswith("dl_")
    assert len(secret) > 40
    assert secret.encode() in answer.content
    assert secret.encode() not in client.get("/account/").content
    row = AccessToken.objects.get()
    assert secret not in str([getattr(row, field.name) for field in row._meta.fields])
    assert row.scopes == ["download", "read"]
    assert timedelta(days=29) < row.expires - timezone.now() <= timedelta(days=30)
    assert AuditEntry.objects.filter(action=Action.TOKEN_ISSUED, actor=user_of(client), subject="node 3").exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "", "scope": ["read"], "days": "30"}, "what the token is for"),
        ({"name": "x" * 61, "scope": ["read"], "days": "30"}, "60 characters"),
        ({"name": "a\x01b", "scope": ["read"], "days": "30"}, "60 characters"),
        ({"name": "a", "days": "30"}, "Choose at least one"),
        ({"name": "a", "scope": ["everything"], "days": "30"}, "Choose at least one"),
        ({"name": "a", "scope": ["read"], "days": "4000"}, "1 to 366 days"),
        ({"name": "a", "scope": ["read"], "days": "²"}, "1 to 366 days"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_in_one_sentence(
    form: dict[str, object], words: str, client_of: ClientOf
) -> None:
    answer = client_of("researcher").post("/account/tokens/", form, follow=True)
    assert words in answer.content.decode()
    assert not AccessToken.objects.exists()


def test_a_token_opens_the_api_within_role_and_scope(
    client: Client, dataset: SimpleNamespace, settings: SimpleNamespace
) -> None:
    settings.PUBLIC_READ = False
    codes = {
        (role, scope): client.get("/api/v1/lesions/", headers=bearer(token_for(role, scope))).status_code
        for role in ("researcher", "curator")
        for scope in ("read", "jobs")
    }
    assert codes == {
        ("researcher", "read"): 200, ("researcher", "jobs"): 403,
        ("curator", "read"): 200, ("curator", "jobs"): 403,
    }  # fmt: skip
    secret = token_for("researcher", "read", "review", "jobs")
    assert client.get(f"/lesions/{dataset.unpublished.pk}/", headers=bearer(secret)).status_code == 404
    assert client.get("/jobs/", headers=bearer(secret)).status_code == 404
    assert client.get("/jobs/", headers=bearer(token_for("admin", "read"))).status_code == 404
    assert client.get("/jobs/", headers=bearer(token_for("admin", "jobs"))).status_code == 200


def test_a_token_is_no_way_to_more_tokens_or_to_the_account(client: Client, db: None) -> None:
    secret = token_for("admin", "read", "download", "review", "jobs")
    form = {"name": "a", "scope": ["read"], "days": "3"}
    assert client.get("/account/", headers=bearer(secret)).status_code == 403
    assert client.post("/account/tokens/", form, headers=bearer(secret)).status_code == 403
    assert client.get("/people/", headers=bearer(secret)).status_code == 404
    assert AccessToken.objects.count() == 1


def test_what_is_unknown_expired_revoked_or_locked_is_refused(client: Client, db: None) -> None:
    def code(secret: str) -> int:
        answer = client.get("/api/v1/lesions/", headers=bearer(secret))
        if answer.status_code == 401:
            assert answer["WWW-Authenticate"] == "Bearer"
            assert answer["Content-Type"] == "application/problem+json"
        return int(answer.status_code)

    assert code("dl_nonsense") == 401
    secret = token_for("researcher", "read")
    assert code(secret) == 200
    row = AccessToken.objects.get()
    assert row.last_used is not None
    AccessToken.objects.update(created=timezone.now() - timedelta(days=9), expires=timezone.now() - timedelta(days=1))
    assert code(secret) == 401
    AccessToken.objects.update(expires=timezone.now() + timedelta(days=1))
    User.objects.update(is_active=False)
    assert code(secret) == 401
    User.objects.update(is_active=True)
    assert code(secret) == 200
    tokens.revoke(token=row, by=row.owner)
    assert code(secret) == 401


def test_a_stranger_cannot_revoke_my_token(client_of: ClientOf) -> None:
    token_for("researcher", "read")
    row = AccessToken.objects.get()
    assert client_of("admin").post(f"/account/tokens/{row.pk}/revoke/").status_code == 404
    row.refresh_from_db()
    assert row.revoked is None


def test_a_download_asks_for_the_agreement_once_and_goes_on(client_of: ClientOf, dataset: SimpleNamespace) -> None:
    client = client_of("researcher")
    wanted = "/releases/first-1.0/archive.zip?split=test"
    agreement = client.get(wanted, follow=True)
    assert agreement.redirect_chain[-1][0].startswith("/releases/first-1.0/agreement/?next=")
    form = {"full_name": "Ada Long", "institution": "Institute", "next": agreement.context["next"]}
    refused = client.post("/releases/first-1.0/agreement/", form)
    assert refused.status_code == 422
    assert b"Confirm that you have read" in refused.content
    assert b"Ada Long" in refused.content
    signed = client.post("/releases/first-1.0/agreement/", {**form, "agrees": "on"})
    assert (signed.status_code, signed.url) == (302, wanted)
    assert client.get(wanted).status_code == 200
    assert client.get("/releases/first-1.0/DL_info.csv").status_code == 200
    assert Agreement.objects.count() == 1
    log = AuditEntry.objects.filter(actor=user_of(client)).order_by("id").values_list("action", "subject", "details")
    assert [entry for entry in log if entry[0] != Action.SIGNED_IN][1:] == [
        (Action.DOWNLOADED, "release first-1.0", {"file": "archive.zip", "split": "test"}),
        (Action.DOWNLOADED, "release first-1.0", {"file": "DL_info.csv"}),
    ]


@pytest.mark.parametrize("following", ["https://elsewhere.example/", "//elsewhere.example", "/people/", ""])
def test_signing_leads_nowhere_else(following: str, client_of: ClientOf, dataset: SimpleNamespace) -> None:
    form = {"full_name": "A", "institution": "B", "agrees": "on", "next": following}
    assert client_of("researcher").post("/releases/first-1.0/agreement/", form).url == "/releases/first-1.0/"


def test_another_text_has_to_be_signed_again(
    client_of: ClientOf, dataset: SimpleNamespace, settings: SimpleNamespace, tmp_path: Path
) -> None:
    client = client_of("researcher")
    form = {"full_name": "A", "institution": "B", "agrees": "on"}
    client.post("/releases/first-1.0/agreement/", form)
    assert client.get("/releases/first-1.0/DL_info.csv").status_code == 200
    other = tmp_path / "terms.txt"
    other.write_text("Be kind.\n\nCite us.")
    settings.DATA_USE_AGREEMENT = other
    assert client.get("/releases/first-1.0/DL_info.csv").status_code == 302
    assert b"Be kind." in client.get("/releases/first-1.0/agreement/").content


def test_a_script_without_a_signature_is_told_where_to_sign(client: Client, dataset: SimpleNamespace) -> None:
    answer = client.get("/releases/first-1.0/archive.zip", headers=bearer(token_for("researcher", "download")))
    assert answer.status_code == 403
    assert "/releases/first-1.0/agreement/" in answer.json()["detail"]


@pytest.mark.parametrize("table", ["accounts_auditentry", "accounts_agreement"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_nobody_changes_what_is_logged_or_signed(
    table: str, statement: str, client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    form = {"full_name": "A", "institution": "B", "agrees": "on"}
    client_of("researcher").post("/releases/first-1.0/agreement/", form)
    with pytest.raises(DatabaseError, match="what is logged stays"), transaction.atomic():
        connection.cursor().execute(statement.format(table))
    assert AuditEntry.objects.exists()
    assert Agreement.objects.exists()


def test_an_administrator_makes_changes_and_locks_accounts(client_of: ClientOf) -> None:
    client = client_of("admin")
    made = client.post("/people/", {"name": "ada.long", "role": "curator"})
    password = made.context["password"]
    ada = User.objects.get(username="ada.long")
    assert ada.check_password(password)
    assert password.encode() not in client.get("/people/").content
    client.post(f"/people/{ada.pk}/", {"role": "researcher", "active": "on"})
    assert list(ada.groups.values_list("name", flat=True)) == ["researcher"]
    client.post(f"/people/{ada.pk}/", {"role": "researcher"})
    ada.refresh_from_db()
    assert not ada.is_active
    replaced = client.post(f"/people/{ada.pk}/password/").context["password"]
    ada.refresh_from_db()
    assert ada.check_password(replaced)
    assert replaced != password
    subjects = AuditEntry.objects.filter(actor=user_of(client), subject="ada.long").values_list("action", flat=True)
    assert sorted(subjects) == [Action.ACCOUNT_CHANGED] * 3 + [Action.ACCOUNT_CREATED]
    assert password not in str(list(AuditEntry.objects.values()))


def test_an_administrator_cannot_shut_himself_out(client_of: ClientOf) -> None:
    client = client_of("admin")
    own = user_of(client)
    for form in ({"role": "researcher", "active": "on"}, {"role": "admin"}):
        assert b"You cannot lock yourself" in client.post(f"/people/{own.pk}/", form, follow=True).content
    own.refresh_from_db()
    assert own.is_active


@pytest.mark.parametrize(("name", "role"), [("", "curator"), ("a b", "curator"), ("x" * 61, "admin"), ("ok", "king")])
def test_an_account_that_makes_no_sense_is_refused(name: str, role: str, db: None) -> None:
    with pytest.raises(people.BadAccount):
        people.create(name=name, role=role, by=factories.make_user("admin"))


def test_names_differ_by_more_than_case(db: None) -> None:
    admin = factories.make_user("admin")
    people.create(name="Ada", role="curator", by=admin)
    with pytest.raises(people.BadAccount, match="already"):
        people.create(name="ada", role="curator", by=admin)


def test_a_new_password_ends_sessions_and_tokens(client_of: ClientOf) -> None:
    ada = User.objects.create_user(username="ada", password=PASSWORD)
    session = Client()
    assert session.post("/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    _, secret = tokens.issue(owner=ada, name="script", scopes=["read"], days=30)
    admin = client_of("admin")
    admin.post(f"/people/{ada.pk}/password/")
    assert tokens.find(secret) is None
    assert session.get("/account/").status_code == 302
    entry = AuditEntry.objects.get(action=Action.TOKEN_REVOKED)
    assert (entry.actor, entry.details) == (user_of(admin), {"owner": "ada"})


def test_an_administrator_sees_and_revokes_tokens_of_others(client_of: ClientOf) -> None:
    admin, owner = client_of("admin"), factories.make_user("curator")
    token, secret = tokens.issue(owner=owner, name="node 3", scopes=["read"], days=30)
    page = admin.get("/people/").content.decode()
    assert "node 3" in page
    assert secret not in page
    assert client_of("curator").post(f"/people/tokens/{token.pk}/revoke/").status_code == 404
    answer = admin.post(f"/people/tokens/{token.pk}/revoke/", follow=True)
    assert f"of {owner.get_username()} no longer works" in answer.content.decode()
    assert tokens.find(secret) is None
    assert "node 3 " not in admin.get("/people/").content.decode()
    assert admin.post(f"/people/tokens/{token.pk}/revoke/").status_code == 404


def test_a_password_is_changed_and_other_sessions_end(db: None) -> None:
    User.objects.create_user(username="ada", password=PASSWORD)
    here, there = Client(), Client()
    for client in (here, there):
        assert client.post("/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    form = {"old_password": PASSWORD, "new_password1": "staple", "new_password2": "staple"}
    assert here.post("/account/password/", form).status_code == 422
    form |= {"new_password1": "a longer staple 9", "new_password2": "a longer staple 9"}
    assert here.post("/account/password/", form).status_code == 302
    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302
    entry = AuditEntry.objects.get(action=Action.ACCOUNT_CHANGED)
    assert (str(entry.actor), entry.subject, entry.details) == ("ada", "ada", {"replaced": ["password"]})


def test_the_log_is_filtered_paged_and_comes_as_csv(client_of: ClientOf) -> None:
    client = client_of("admin")
    for number in range(60):
        people.create(name=f"person-{number}", role="researcher", by=user_of(client))
    first = client.get("/audit/?action=account-created")
    assert b"Page 1 of 2" in first.content
    assert b"person-59" in first.content
    assert b"person-5<" not in first.content
    assert b"Nothing logged that passes" in client.get("/audit/?by=nobody-such").content
    assert client.get("/audit/?since=yesterday").status_code == 200
    rows = list(csv.reader(io.StringIO(b"".join(client.get("/audit.csv?action=account-created")).decode())))
    assert len(rows) == 61
    assert rows[1][2:4] == ["account-created", "person-59"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)"])
def test_what_somebody_typed_is_no_formula_in_the_log_s_csv(client_of: ClientOf, name: str) -> None:
    client = client_of("admin")
    tokens.issue(owner=user_of(client), name=name, scopes=["read"], days=30)
    rows = list(csv.reader(io.StringIO(b"".join(client.get("/audit.csv?action=token-issued")).decode())))
    assert rows[1][3] == f"'{name}"
