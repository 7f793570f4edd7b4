"""The list of lesions and the page of one."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from django.db import connection
from django.test import Client

from datasets import frozen
from datasets.models import Lesion, Review
from deeplesion_site.dashboard.lesion_page import Visit
from tests import factories


@pytest.fixture
def row_of_five(db: None) -> list[Lesion]:
    """Publish five lesions on one slice's series, growing in size; the second is of another type."""
    series = factories.make_series()
    lesions = [
        factories.make_lesion(
            slice=factories.make_slice(series=series), long_px=20.0 + number, type=4 if number == 1 else 5
        )
        for number in range(5)
    ]
    factories.make_release(lesions, name="five")
    return lesions


def test_the_list_takes_the_filters_of_the_api(client: Client, row_of_five: list[Lesion]) -> None:
    for query in ("type=liver", "long_mm__gte=17.6", "ordering=-long_mm", "release=five&split=train"):
        page = client.get(f"/lesions/?{query}").context["page"]
        api = client.get(f"/api/v1/lesions/?{query}").json()["results"]
        assert [lesion.pk for lesion in page.items] == [row["id"] for row in api]


@pytest.mark.parametrize(
    ("query", "label", "reason", "clean"),
    [
        ("type=bogus&split=train", "Type", "“bogus” is not known; choose from bone,", "?split=train"),
        ("page=999&split=train", "page", "the list has no such filter.", "?split=train"),
        ("long_min=abc", "long_min", "the list has no such filter.", "?"),
        ("long_mm__gte=big", "Long diameter from (mm)", "“big” is not a number from 0 to 4000.", "?"),
        ("ordering=random", "Sort by", "“random” is not known;", "?"),
        ("release=nope", "Release", "“nope” is not known; choose from five.", "?"),
    ],
)
def test_a_bad_filter_is_explained_in_one_sentence_above_the_rest(
    client: Client, row_of_five: list[Lesion], query: str, label: str, reason: str, clean: str
) -> None:
    answer = client.get(f"/lesions/?{query}")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count("Not filtered by") == 1
    assert f"Not filtered by {label}:</strong> {reason}" in page
    assert f'<a href="{clean}">Take it out of the address</a>' in page
    assert page.count("data-row>") == 5
    assert 'id="filters"' in page
    assert 'href="/lesions.csv' in page
    assert "bogus" not in answer.context["query"]
    part = client.get(f"/lesions/?{query}", headers={"HX-Request": "true"}).content.decode()
    assert f"Not filtered by {label}" in part


def test_a_list_without_faults_says_nothing_of_them(client: Client, row_of_five: list[Lesion]) -> None:
    assert "Not filtered by" not in client.get("/lesions/?type=liver&view=table&cursor=").content.decode()


def test_filters_in_use_can_be_removed_one_by_one(client: Client, row_of_five: list[Lesion]) -> None:
    chips = client.get("/lesions/?type=liver&type=lung&long_mm__gte=5&sex=").context["chips"]
    assert chips == [
        ("Type", "liver", "?type=lung&long_mm__gte=5"),
        ("Type", "lung", "?type=liver&long_mm__gte=5"),
        ("Long diameter from (mm)", "5", "?type=liver&type=lung"),
    ]


def test_a_filter_change_brings_the_results_alone_and_a_clean_address(
    client: Client, row_of_five: list[Lesion]
) -> None:
    answer = client.get("/lesions/?type=liver&sex=&release=", headers={"HX-Request": "true"})
    assert "<html" not in answer.content.decode()
    assert answer["HX-Push-Url"] == "/lesions/?type=liver"
    restored = client.get("/lesions/?type=liver", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in restored.content.decode()


def test_a_long_list_is_cut_into_pages(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplesion_site.dashboard.lesion_list.PAGE_SIZE", 2)
    series = factories.make_series()
    lesions = [factories.make_lesion(slice=factories.make_slice(series=series)) for _ in range(5)]
    factories.make_release(lesions)
    seen, cursor = [], ""
    for start, end in ((1, 2), (3, 4), (5, 5)):
        page = client.get("/lesions/", {"cursor": cursor}).context["page"]
        assert (page.start, page.end) == (start, end)
        seen += [lesion.pk for lesion in page.items]
        cursor = page.next
    assert seen == [lesion.pk for lesion in lesions]
    assert cursor is None
    assert client.get("/lesions/?cursor=nonsense").context["page"].start == 1


def test_neighbours_follow_the_filters_of_the_list(client: Client, row_of_five: list[Lesion]) -> None:
    def beside(lesion: Lesion, query: str) -> tuple[Lesion | None, Lesion | None]:
        context = client.get(f"/lesions/{lesion.pk}/?{query}").context
        return context["previous"], context["following"]

    a, b, c, _, e = row_of_five
    assert beside(a, "") == (None, b)
    assert beside(c, "ordering=-long_mm") == (row_of_five[3], b)
    assert beside(c, "type=lung") == (a, row_of_five[3])
    assert beside(e, "type=lung") == (row_of_five[3], None)
    assert beside(b, "type=lung") == (a, c)
    assert beside(b, "type=nonsense") == (a, c)


def test_the_viewer_gets_the_stored_context(client: Client, dataset: SimpleNamespace) -> None:
    viewer = client.get(f"/lesions/{dataset.published.pk}/").context["viewer"]
    assert [place["number"] for place in viewer["slices"]] == [18, 19, 20, 21]
    assert viewer["key"] == 2
    assert viewer["points"] == dataset.published.points
    assert viewer["spacing"] == [0.8, 0.8]


def test_a_lesion_without_a_picture_has_a_page(client: Client, row_of_five: list[Lesion]) -> None:
    viewer = client.get(f"/lesions/{row_of_five[0].pk}/").context["viewer"]
    assert [place["stored"] for place in viewer["slices"]] == [False]


def test_a_follow_up_set_shows_how_the_lesion_changed(client: Client, db: None) -> None:
    patient = factories.make_patient()
    follow_up = factories.make_follow_up(patient=patient)
    lesions = []
    for day, long_px in ((0, 20.0), (100, 25.0), (150, 20.0)):
        study = factories.make_study(patient=patient, days_since_first=day)
        place = factories.make_slice(series=factories.make_series(study=study))
        lesions.append(factories.make_lesion(slice=place, long_px=long_px, follow_up=follow_up))
    factories.make_release(lesions)
    visits = client.get(f"/lesions/{lesions[1].pk}/").context["timeline"]
    assert [visit.lesion for visit in visits] == lesions
    assert [visit.days for visit in visits] == [0, 100, 150]
    assert [visit.change and round(visit.change) for visit in visits] == [None, 25, -20]


def test_noise_flags_and_what_was_merged_are_shown(client: Client, db: None) -> None:
    place = factories.make_slice()
    lesion = factories.make_lesion(
        slice=place,
        possibly_noisy=True,
        noise_reasons=[{"reason": "mean", "value": -780.25, "threshold": -600}],
        flags=["the axes meet at 23 degrees"],
    )
    factories.make_lesion(slice=place, merged_into=lesion, long_px=31.0)
    other = factories.make_lesion(slice=place, type=4)
    factories.make_release([lesion, other])
    page = client.get(f"/lesions/{lesion.pk}/").content.decode()
    for part in ("−780<", "−600<", "23 degrees", "Merged from", "24.8 × 12.0 mm", "Also on this slice"):
        assert part in page


def test_verdicts_are_added_and_the_history_stays(
    client_of: Callable[[str], Client], dataset: SimpleNamespace
) -> None:
    client, address = client_of("curator"), f"/lesions/{dataset.unpublished.pk}/"
    client.post(f"{address}review/", {"verdict": "reject", "note": " a vessel ", "seen": "0"})
    made = dataset.unpublished.reviews.get()
    answer = client.post(f"/review/undo/{made.pk}/", {"lesion": dataset.unpublished.pk})
    assert answer.url == f"{address}#review"
    assert [(review.verdict, review.note) for review in dataset.unpublished.reviews.all()] == [
        ("withdrawn", ""),
        ("reject", "a vessel"),
    ]
    page = client.get(address).content.decode()
    assert page.index("verdict withdrawn") < page.index("a vessel")
    assert "taken back by" in page
    assert "Undo" not in page


def test_a_verdict_on_what_somebody_else_judged_meanwhile_is_not_recorded(
    client_of: Callable[[str], Client], dataset: SimpleNamespace
) -> None:
    factories.make_review(lesion=dataset.published, reviewer=factories.make_user("curator", username="anna"))
    form = {"verdict": "reject", "seen": "0"}
    answer = client_of("curator").post(f"/lesions/{dataset.published.pk}/review/", form, follow=True)
    assert "anna was faster" in answer.content.decode()
    assert dataset.published.reviews.count() == 1


def test_the_reasons_are_shown_with_value_unit_and_limit(client: Client, db: None) -> None:
    reasons = [
        {"reason": "outside the body", "value": 0.873, "threshold": 0.5},
        {"reason": "too small", "value": 30.25, "threshold": 35.0},
    ]
    lesion = factories.make_lesion(possibly_noisy=True, noise_reasons=reasons)
    factories.make_release([lesion])
    page = " ".join(client.get(f"/lesions/{lesion.pk}/").content.decode().split())
    for part in ("87.3 %", "at most</span> 50 %", "30.2 mm²", "at least</span> 35 mm²", "area of the padded box"):
        assert part in page


@pytest.mark.parametrize("form", [{"verdict": "maybe"}, {}, {"verdict": "keep", "note": "x" * 1001}])
def test_a_bad_verdict_is_refused_in_a_sentence(
    client_of: Callable[[str], Client], dataset: SimpleNamespace, form: dict[str, str]
) -> None:
    answer = client_of("curator").post(f"/lesions/{dataset.published.pk}/review/", form, follow=True)
    assert 'class="message error"' in answer.content.decode()
    assert not Review.objects.exists()


def test_reviews_are_not_shown_to_others(client_of: Callable[[str], Client], dataset: SimpleNamespace) -> None:
    factories.make_review(lesion=dataset.published, note="looks like a vessel")
    assert b"looks like a vessel" not in client_of("researcher").get(f"/lesions/{dataset.published.pk}/").content


def test_a_citation_names_the_newest_release_one_may_see(client: Client, dataset: SimpleNamespace) -> None:
    factories.make_release([dataset.published], name="second-2.0")
    factories.make_release([dataset.published], name="third-3.0", published=False)
    assert "release second-2.0" in client.get(f"/lesions/{dataset.published.pk}/").context["citation"]


def test_a_lung_lesion_opens_in_a_lung_window_although_the_slice_was_read_in_soft_tissue(
    client: Client, db: None
) -> None:
    lesion = factories.make_lesion(type=5, slice=factories.make_slice(pixels=np.zeros((512, 512))))
    factories.make_release(lesions=[lesion])
    page = client.get(f"/lesions/{lesion.pk}/").content.decode()
    assert 'data-window="-1500,500" aria-pressed="true"' in page
    assert "low=-1500&amp;high=500" in client.get("/lesions/").content.decode()


def test_collections_are_offered_where_there_are_several(client: Client, row_of_five: list[Lesion]) -> None:
    assert 'id="f-collection"' not in client.get("/lesions/").content.decode()
    lesion = factories.make_lesion()
    factories.make_release([lesion], name="other")
    page = client.get("/lesions/").content.decode()
    assert 'id="f-collection"' in page
    assert lesion.slice.series.study.patient.collection.title in page


@pytest.mark.parametrize("view", ["grid", "table"])
def test_lesions_of_several_collections_say_which(client: Client, row_of_five: list[Lesion], view: str) -> None:
    titles = [row_of_five[0].slice.series.study.patient.collection.title, "Another hospital"]

    def told(query: str) -> list[int]:
        part = client.get(f"/lesions/?view={view}&{query}", headers={"HX-Request": "true"}).content.decode()
        return [part.count(title) for title in titles]

    patient = factories.make_patient(collection=factories.make_collection(title=titles[1]))
    series = factories.make_series(study=factories.make_study(patient=patient))
    assert told("") == [0, 0]
    factories.make_release([factories.make_lesion(slice=factories.make_slice(series=series))], name="other-1.0")
    assert told("") == [5, 1]
    assert told("release=five") == [0, 0]


@pytest.mark.parametrize("address", ["/lesions/?release=first-1.0", "/lesions/?view=table&release=first-1.0", "/"])
def test_a_mark_in_the_air_is_shown_in_a_window_that_is_not_black_with_its_axes(
    client: Client, dataset: SimpleNamespace, address: str
) -> None:
    lesion = dataset.published
    # A published lesion keeps its type; one that was released as unknown is wanted here.
    frozen.drop(connection)
    lesion.type = -1
    lesion.save()
    assert "low=-175&amp;high=275" in client.get(address).content.decode()
    lesion.mean_hu, lesion.std_hu, lesion.min_hu, lesion.max_hu = -1000.0, 3.0, -1010.0, -990.0
    lesion.save()
    page = client.get(address).content.decode()
    assert "low=-1500&amp;high=500" in page
    assert page.count('class="sketch"') == 1


@pytest.mark.parametrize(
    ("change", "words"), [(None, "–"), (12.6, "+13 %"), (-3.2, "−3 %"), (-0.3, "0 %"), (0.2, "0 %")]
)
def test_a_change_that_rounds_to_nothing_has_no_sign(change: float | None, words: str) -> None:
    assert Visit(Lesion(), 0, change, 0.0, 0.0).change_in_words == words
