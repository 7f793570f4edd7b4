"""The review queue and its cards: what waits, verdicts by form, conflicts told, and the same over REST."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from datasets.models import Lesion, Review, Slice
from tests import factories
from tests.deeplesion_site.test_access import ROLES

HTMX = {"HX-Request": "true"}
SMALL = [{"reason": "too small", "value": 30.0, "threshold": 35.0}]
DARK = [{"reason": "too dark", "value": -950.0, "threshold": -900.0}]
RANGE = [{"reason": "too small a range", "value": 30.0, "threshold": 40.0}]

ClientOf = Callable[[str], Client]


@pytest.fixture
def queue(db: None) -> SimpleNamespace:
    """Make three lesions that may be noise, two proposed pairs, and one lesion that is fine."""
    collection = factories.make_collection(slug="hospital", title="Hospital")
    lesions = []
    for reasons, kind in ((SMALL, 5), (DARK, 5), (RANGE, 4), ([], 5)):
        study = factories.make_study(patient=factories.make_patient(collection=collection))
        place = factories.make_slice(series=factories.make_series(study=study), stored=False)
        lesions.append(
            factories.make_lesion(slice=place, type=kind, possibly_noisy=bool(reasons), noise_reasons=reasons)
        )
    place = lesions[3].slice
    near = [factories.make_lesion(slice=place, centre=(250.0 + 12 * step, 250.0), type=4) for step in (1, 2)]
    pairs = [factories.make_proposal(lesions[3], near[0]), factories.make_proposal(near[0], near[1])]
    return SimpleNamespace(collection=collection, flagged=lesions[:3], fine=lesions[3], near=near, pairs=pairs)


def shown(client: Client, query: str = "") -> list[int]:
    return [item.pk for item in client.get(f"/review/{query}").context["page"].items]


def test_the_queue_holds_what_waits_by_reason_collection_and_type(client_of: ClientOf, queue: SimpleNamespace) -> None:
    client = client_of("curator")
    small, dark, narrow = (lesion.pk for lesion in queue.flagged)
    assert shown(client) == [small, dark, narrow]
    assert shown(client, "?reason=too+small") == [small]
    assert shown(client, "?reason=too+small+a+range") == [narrow]
    assert shown(client, "?type=liver") == [narrow]
    assert shown(client, "?collection=elsewhere") == []
    assert shown(client, "?kind=pairs") == [pair.pk for pair in queue.pairs]
    assert shown(client, "?reason=overlap") == [pair.pk for pair in queue.pairs]
    assert shown(client, "?reason=neighbours") == []
    progress = client.get("/review/").context["progress"]
    assert (progress.left, progress.total, progress.percent) == (5, 5, 0)
    assert progress.reasons == {"overlap": 2, "too small": 1, "too dark": 1, "too small a range": 1}


@pytest.mark.parametrize(
    ("stored", "kind", "tiles"), [(True, "flagged", 3), (False, "flagged", 3), (True, "pairs", 4)]
)
def test_every_tile_shows_axes_and_box(
    client_of: ClientOf, queue: SimpleNamespace, stored: bool, kind: str, tiles: int
) -> None:
    Slice.objects.update(stored=stored, stored_at=timezone.now() if stored else None)
    page = client_of("curator").get(f"/review/?kind={kind}").content.decode()
    assert page.count("<img") == (tiles if stored else 0)
    assert [page.count(f'class="{part}"') for part in ("box", "axis long", "axis short")] == [tiles] * 3


def test_a_verdict_brings_the_next_card_without_the_rest_of_the_page(
    client_of: ClientOf, queue: SimpleNamespace
) -> None:
    client = client_of("curator")
    first, second, _ = queue.flagged
    answer = client.post(f"/review/flagged/{first.pk}/verdict/", {"verdict": "reject", "seen": "0"}, headers=HTMX)
    page = answer.content.decode()
    assert "<html" not in page
    assert "Recorded: not a lesion" in page
    assert answer["HX-Push-Url"] == f"/review/flagged/{second.pk}/"
    assert first.reviews.get().verdict == "reject"
    assert shown(client)[0] == second.pk
    assert shown(client, "?state=judged") == [first.pk]


def test_a_filter_is_carried_from_card_to_card(client_of: ClientOf, queue: SimpleNamespace) -> None:
    client = client_of("curator")
    first, second, _ = queue.flagged
    start = client.get("/review/next/?type=lung")
    assert start.url == f"/review/flagged/{first.pk}/?type=lung"
    answer = client.post(f"/review/flagged/{first.pk}/verdict/?type=lung", {"verdict": "keep", "seen": "0"})
    assert answer.url == f"/review/flagged/{second.pk}/?type=lung"


def test_after_the_last_card_the_queue_says_that_nothing_waits(client_of: ClientOf, queue: SimpleNamespace) -> None:
    client = client_of("curator")
    (last,) = [lesion for lesion in queue.flagged if lesion.noise_reasons == SMALL]
    address = f"/review/flagged/{last.pk}/verdict/?reason=too+small"
    answer = client.post(address, {"verdict": "keep", "seen": "0"}, headers=HTMX)
    assert answer["HX-Redirect"] == "/review/?reason=too+small"
    assert "Nothing here matches" in client.get("/review/?reason=too+small").content.decode()


def test_merging_a_pair_closes_what_it_was_part_of_and_undoing_opens_it_again(
    client_of: ClientOf, queue: SimpleNamespace
) -> None:
    client = client_of("curator")
    first, second = queue.pairs
    client.post(f"/review/pairs/{first.pk}/verdict/", {"verdict": "merge", "seen": "0"})
    assert queue.fine.averages.count() == 1
    assert second.pk not in shown(client, "?kind=pairs"), "one of its two is part of another by now"
    made = Review.objects.get()
    page = client.post(f"/review/undo/{made.pk}/", headers=HTMX).content.decode()
    assert "Taken back" in page
    assert {first.pk, second.pk} <= set(shown(client, "?kind=pairs"))
    assert Lesion.objects.get(pk=queue.fine.pk).merged_into is None


def test_whoever_was_slower_is_told_and_sees_the_verdict(client_of: ClientOf, queue: SimpleNamespace) -> None:
    lesion = queue.flagged[0]
    factories.make_review(lesion=lesion, reviewer=factories.make_user("curator", username="anna"))
    address = f"/review/flagged/{lesion.pk}/verdict/"
    page = client_of("curator").post(address, {"verdict": "reject", "seen": "0"}, headers=HTMX).content.decode()
    assert "anna was faster: “a lesion”" in page
    assert lesion.reviews.count() == 1


@pytest.mark.parametrize(
    "form", [{}, {"verdict": "merge", "seen": "0"}, {"verdict": "keep", "seen": "0", "note": "x" * 1001}]
)
def test_what_cannot_be_recorded_is_told_on_the_same_card(
    client_of: ClientOf, queue: SimpleNamespace, form: dict[str, str]
) -> None:
    address = f"/review/flagged/{queue.flagged[0].pk}/verdict/"
    page = client_of("curator").post(address, form, headers=HTMX).content.decode()
    assert 'class="message error"' in page
    assert not Review.objects.exists()


@pytest.mark.parametrize(("role", "code"), list(zip(ROLES, (302, 403, 403, 302, 302), strict=True)))
def test_only_curators_judge_and_take_back(role: str, code: int, client_of: ClientOf, queue: SimpleNamespace) -> None:
    client = client_of(role)
    made = factories.make_review(lesion=queue.flagged[1])
    address = f"/review/flagged/{queue.flagged[0].pk}/verdict/"
    assert client.post(address, {"verdict": "keep", "seen": "0"}).status_code == code
    assert client.post(f"/review/undo/{made.pk}/").status_code == code
    assert Review.objects.count() == (3 if role in ("curator", "admin") else 1)


def test_the_card_shows_why_with_value_and_limit(client_of: ClientOf, queue: SimpleNamespace) -> None:
    page = " ".join(client_of("curator").get(f"/review/flagged/{queue.flagged[1].pk}/").content.decode().split())
    assert "too dark" in page
    assert "−950 HU" in page
    assert "at least</span> −900 HU" in page


def post(client: Client, address: str, **body: object) -> tuple[int, dict[str, object]]:
    answer = client.post(address, body, content_type="application/json")
    return answer.status_code, answer.json()


def test_the_api_records_lists_and_takes_back(client_of: ClientOf, queue: SimpleNamespace) -> None:
    client = client_of("curator")
    lesion = queue.flagged[0].pk
    code, made = post(client, "/api/v1/reviews/", lesion=lesion, verdict="reject", note="a vessel")
    assert (code, made["lesion"], made["verdict"], made["undone"]) == (201, lesion, "reject", False)
    assert post(client, "/api/v1/reviews/", lesion=lesion, verdict="keep")[0] == 409
    code, withdrawal = post(client, f"/api/v1/reviews/{made['id']}/undo/")
    assert (code, withdrawal["undoes"]) == (201, made["id"])
    assert post(client, f"/api/v1/reviews/{made['id']}/undo/")[0] == 409
    listed = client.get("/api/v1/reviews/").json()["results"]
    assert [(item["verdict"], item["undone"]) for item in listed] == [("withdrawn", False), ("reject", True)]
    pair = client.get("/api/v1/proposals/").json()["results"][-1]
    assert pair["id"] == queue.pairs[0].pk
    assert post(client, "/api/v1/reviews/", proposal=pair["id"], verdict="merge")[0] == 201
    assert queue.fine.averages.count() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"verdict": "keep"}, 400),
        ({"lesion": 1, "proposal": 1, "verdict": "keep"}, 400),
        ({"lesion": "x", "verdict": "keep"}, 400),
        ({"verdict": "maybe", "lesion": 1}, 400),
        ({"lesion": 999999, "verdict": "keep"}, 404),
        ({"proposal": 999999, "verdict": "merge"}, 404),
    ],
)
def test_the_api_tells_what_makes_no_sense(client_of: ClientOf, db: None, body: dict[str, object], code: int) -> None:
    found, problem = post(client_of("curator"), "/api/v1/reviews/", **body)
    assert (found, problem["status"]) == (code, code)


@pytest.mark.parametrize(("role", "code"), list(zip(ROLES, (401, 403, 403, 200, 200), strict=True)))
def test_the_api_of_reviews_is_for_curators(role: str, code: int, client_of: ClientOf, queue: SimpleNamespace) -> None:
    client = client_of(role)
    review = factories.make_review(lesion=queue.flagged[1])
    for address in ("/api/v1/reviews/", f"/api/v1/reviews/{review.pk}/", "/api/v1/proposals/"):
        assert client.get(address).status_code == code, address
    posted = post(client, "/api/v1/reviews/", lesion=queue.flagged[0].pk, verdict="keep")[0]
    assert posted == (201 if code == 200 else code)
