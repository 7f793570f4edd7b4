"""The lesions of the API: filters, order, pages, CSV, errors."""

import csv
import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from datasets.models import Lesion, Split
from tests import factories

LESIONS = "/api/v1/lesions/"


@pytest.fixture
def many(db: None) -> list[Lesion]:
    """Publish 25 lesions of five patients; sizes repeat, so that order must break ties."""
    collection = factories.make_collection(slug="many")
    lesions = []
    for number in range(1, 6):
        patient = factories.make_patient(collection=collection, number=number, sex="FM"[number % 2])
        study = factories.make_study(patient=patient, age=40 + number)
        series = factories.make_series(study=study, slice_interval=float(number))
        for index in range(5):
            place = factories.make_slice(series=series, number=index + 1)
            lesions.append(
                factories.make_lesion(
                    slice=place, long_px=20.0 + index % 2, short_px=10.0, type=number, z=index / 10, x=0.5, y=0.5
                )
            )
    factories.make_release(lesions[:10], name="train-part", split=Split.TRAIN)
    factories.make_release(lesions[10:], name="test-part", split=Split.TEST)
    return lesions


def get(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"{LESIONS}?{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("ordering", ["file", "-file", "long_mm", "-long_mm", "short_mm", "-short_mm", "id", "-id"])
@pytest.mark.parametrize("size", [1, 4, 25])
def test_pages_show_every_lesion_once_in_order(client: Client, many: list[Lesion], ordering: str, size: int) -> None:
    whole = [row["id"] for row in get(client, f"ordering={ordering}&page_size=100")["results"]]
    assert sorted(whole) == sorted(lesion.pk for lesion in many)
    seen: list[int] = []
    page = get(client, f"ordering={ordering}&page_size={size}")
    while True:
        seen += [row["id"] for row in page["results"]]
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()
    assert seen == whole
    back = [row["id"] for row in page["results"]]
    while page["previous"]:
        page = client.get(page["previous"]).json()
        back = [row["id"] for row in page["results"]] + back
    assert back == whole


def test_a_lesion_that_arrives_meanwhile_moves_nothing(client: Client, many: list[Lesion]) -> None:
    first = get(client, "ordering=long_mm&page_size=10")
    late = factories.make_lesion(slice=many[0].slice, long_px=12.0, short_px=8.0)
    factories.make_release([late], name="late")
    second = client.get(first["next"]).json()
    assert not {row["id"] for row in first["results"]} & {row["id"] for row in second["results"]}
    assert len(second["results"]) == 10


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("type=bone", 5),
        ("type=1", 5),
        ("type=1,abdomen", 10),
        ("type=1&type=2", 10),
        ("sex=M", 15),
        ("age__gte=43&age__lte=44", 10),
        ("long_mm__gte=16.5", 10),
        ("long_mm__lte=16", 15),
        ("short_mm__gte=8.01", 0),
        ("slice_interval__gte=2&slice_interval__lte=3", 10),
        ("patient=3&study=1", 5),
        ("patient=3&study=2", 0),
        ("z__gte=0.35", 5),
        ("z__gte=0.15&z__lte=0.35", 10),
        ("x__gte=0.45&x__lte=0.55", 25),
        ("x__gte=0.55", 0),
        ("y__lte=0.45", 0),
        ("release=train-part", 10),
        ("split=test", 15),
        ("split=3", 15),
        ("split=train,test", 25),
        ("release=train-part&split=test", 0),
        ("collection=many", 25),
        ("noisy=true", 0),
        ("noisy=false", 25),
        ("type=&sex=&release=", 25),
    ],
)
def test_filters(client: Client, many: list[Lesion], query: str, count: int) -> None:
    assert len(get(client, query)["results"]) == count


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("type=brain", "type"),
        ("type=9", "type"),
        ("split=4", "split"),
        ("sex=X", "sex"),
        ("long_mm__gte=big", "long_mm__gte"),
        ("long_mm__gte=nan", "long_mm__gte"),
        ("long_mm__gte=-1", "long_mm__gte"),
        ("z__gte=1.01", "z__gte"),
        ("x__lte=-0.1", "x__lte"),
        ("y__gte=left", "y__gte"),
        ("x__gte=nan", "x__gte"),
        ("patient=0", "patient"),
        ("patient=1e99", "patient"),
        ("noisy=maybe", "noisy"),
        ("release=nope", "release"),
        ("collection=nope", "collection"),
        ("ordering=random", "ordering"),
        ("page_size=0", "page_size"),
        ("page_size=1001", "page_size"),
        ("page_size=²", "page_size"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WzAsMSw1XQ", "cursor"),
        ("format=xml", "format"),
        ("long_mm_gte=3", "long_mm_gte"),
        ("fingerprint=a", "fingerprint"),
    ],
)
def test_a_bad_parameter_is_named_in_a_problem(client: Client, many: list[Lesion], query: str, parameter: str) -> None:
    answer = client.get(f"{LESIONS}?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {error["parameter"] for error in problem["errors"]} == {parameter}
    assert (problem["status"], problem["title"], problem["type"]) == (400, "Bad Request", "about:blank")
    assert parameter in problem["detail"]


TYPES = "bone, abdomen, mediastinum, liver, lung, kidney, soft tissue, pelvis, unknown"
ORDERS = "file, -long_mm, long_mm, -short_mm, short_mm, -file, id, -id"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("type=brain", f"“brain” is not known; choose from {TYPES}."),
        ("split=4", "“4” is not known; choose from train, val, test."),
        ("sex=X", "“X” is not known; choose from F, M."),
        ("noisy=maybe", "“maybe” is not known; choose from true, false."),
        ("release=nope", "“nope” is not known; choose from test-part, train-part."),
        ("collection=nope", "“nope” is not known; choose from many."),
        ("ordering=random", f"“random” is not known; choose from {ORDERS}."),
        ("long_mm__gte=big", "“big” is not a number from 0 to 4000."),
        ("long_mm__gte=-1", "“-1” is not a number from 0 to 4000."),
        ("z__lte=11", "“11” is not a number from 0 to 1."),
        ("patient=1.5", "“1.5” is not a whole number from 1 to 999999999."),
        ("type=" + "x" * 300, "“" + "x" * 40 + f"…” is not known; choose from {TYPES}."),
    ],
)
def test_a_bad_value_is_answered_with_what_would_do(
    client: Client, many: list[Lesion], query: str, reason: str
) -> None:
    errors = client.get(f"{LESIONS}?{query}").json()["errors"]
    assert errors == [{"parameter": query.partition("=")[0], "reason": reason}]


def test_other_lists_know_their_parameters_and_values_too(client: Client, many: list[Lesion]) -> None:
    for address, parameter in (
        ("patients/?collection=nope", "collection"),
        ("studies/?patient=x", "patient"),
        ("series/?study=0", "study"),
        ("collections/?sex=F", "sex"),
        ("releases/?name=x", "name"),
        ("patients/1/?sex=F", "sex"),
    ):
        answer = client.get(f"/api/v1/{address}")
        assert answer.status_code == 400, address
        assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]
    assert "choose from many." in client.get("/api/v1/patients/?collection=nope").json()["detail"]
    assert "known are" in client.get("/api/v1/releases/?name=x").json()["detail"]


def test_numbers_come_with_as_many_digits_as_their_unit_bears(
    client: Client, dataset: SimpleNamespace, signer: Callable[[], Client]
) -> None:
    lesion = dataset.drafted
    lesion.x11, lesion.box_x1, lesion.long_px = 238.123456789, 200.000049, 25.123456789
    lesion.long_mm, lesion.long_um = 20.0987654, 20099
    lesion.mean_hu, lesion.x, lesion.y, lesion.z = 40.06, 0.123456, 1 / 3, 2 / 3
    lesion.noise_reasons = [{"reason": "area", "value": 1 / 3, "threshold": 100}]
    lesion.save()
    lesion.slice.series.spacing_x, lesion.slice.series.slice_interval = 0.48828125, 4.938441234
    lesion.slice.series.save()
    factories.make_release([lesion], name="digits-1.0")
    found = client.get(f"{LESIONS}{lesion.pk}/").json()
    assert (found["recist"][0], found["box"][0], found["long_px"]) == (238.123, 200.0, 25.123)
    assert (found["long_mm"], found["spacing_mm"], found["slice_interval"]) == (20.099, [0.488281, 0.8], 4.938)
    assert (found["hu"]["mean"], found["hu"]["std"]) == (40.1, None)
    assert found["location"] | {"provenance": ""} == {"x": 0.1235, "y": 0.3333, "z": 0.6667, "provenance": ""}
    assert found["noise_reasons"] == [{"reason": "area", "value": 0.333, "threshold": 100}]
    series = client.get(f"/api/v1/series/{lesion.slice.series_id}/").json()
    assert (series["spacing_x"], series["slice_interval"]) == (0.488281, 4.938)
    lines = b"".join(signer().get(f"{LESIONS}?format=csv&release=digits-1.0")).decode()
    row = next(csv.DictReader(io.StringIO(lines)))
    assert (row["x11"], row["long_mm"], row["spacing_x_mm"], row["mean_hu"]) == (
        "238.123",
        "20.099",
        "0.488281",
        "40.1",
    )
    assert (row["slice_interval_mm"], row["z"], row["location_source"]) == ("4.938", "0.6667", lesion.location_source)
    assert lesion.location_source
    # A length is filtered by what is shown.
    assert len(get(client, "release=digits-1.0&long_mm__gte=20.099&long_mm__lte=20.099")["results"]) == 1
    for empty in ("long_mm__gte=20.0991", "long_mm__lte=20.0985"):
        assert get(client, f"release=digits-1.0&{empty}")["results"] == []


@pytest.mark.parametrize("address", [f"{LESIONS}999999/", "/api/v1/nowhere/", f"{LESIONS}abc/"])
def test_what_is_not_there_is_a_problem_too(client: Client, db: None, address: str) -> None:
    answer = client.get(address, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_an_error_has_one_form_even_where_csv_was_asked_for(client: Client, many: list[Lesion]) -> None:
    answer = client.get(f"{LESIONS}?format=csv&type=brain")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 400


def test_a_lesion_says_what_the_dataset_knows(client: Client, dataset: SimpleNamespace) -> None:
    lesion = dataset.published
    found = client.get(f"{LESIONS}{lesion.pk}/").json()
    assert found["file_name"] == "000001_01_01_020.png"
    assert found["recist"] == list(lesion.points)
    assert found["box"] == list(lesion.box)
    assert (found["type"], found["type_code"]) == ("lung", 5)
    assert found["location"] == {"x": 0.4, "y": 0.5, "z": 0.5, "provenance": "published"}
    assert found["releases"] == [{"release": "first-1.0", "split": "test"}]
    assert found["slice_range"] == [14, 26]
    assert (found["sex"], found["age"], found["follow_up"]) == ("F", 62, None)


def test_a_noisy_lesion_of_a_published_table_has_a_reason_without_a_value(
    client: Client, dataset: SimpleNamespace
) -> None:
    lesion = dataset.published
    lesion.possibly_noisy, lesion.noise_reasons = True, [{"reason": "published"}]
    lesion.save()
    assert client.get(f"{LESIONS}{lesion.pk}/").json()["noise_reasons"] == [
        {"reason": "published", "value": None, "threshold": None}
    ]
    assert "marked so in the published table" in client.get(f"/lesions/{lesion.pk}/").content.decode()


def test_nothing_restricted_is_served(client_of: Any, dataset: SimpleNamespace) -> None:
    lesion = dataset.published
    lesion.annotation = factories.make_annotation(
        collection=dataset.collection, fingerprint="SECRET-f", geometry="SECRET-g", study="SECRET-s"
    )
    lesion.save()
    for address in ("lesions", "series", "studies", "patients", "collections", "releases", "lesions/?format=csv"):
        answer = client_of("admin").get(f"/api/v1/{address}{'' if '?' in address else '/'}")
        content = b"".join(answer) if answer.streaming else answer.content
        assert b"SECRET" not in content, address
    assert b"SECRET" not in client_of("admin").get(f"/lesions/{lesion.pk}/").content


@pytest.mark.parametrize("how", ["parameter", "header"])
def test_csv_holds_all_that_passes_the_filters(signer: Callable[[], Client], many: list[Lesion], how: str) -> None:
    client = signer()
    if how == "parameter":
        answer = client.get(f"{LESIONS}?format=csv&split=test&ordering=-long_mm")
    else:
        answer = client.get(f"{LESIONS}?split=test&ordering=-long_mm", headers={"Accept": "text/csv"})
    assert answer.streaming
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [int(row["id"]) for row in rows] == [
        row["id"] for row in get(client, "split=test&ordering=-long_mm")["results"]
    ]
    assert rows[0]["releases"] == "test-part:test"
    first, record = rows[0], get(client, "split=test&ordering=-long_mm")["results"][0]
    for name in ("file_name", "collection", "type", "sex"):
        assert first[name] == record[name]
    for name in ("patient", "study", "series", "slice", "number", "type_code", "age", "long_mm", "short_px"):
        assert float(first[name]) == record[name]
    assert [float(first[f"{axis}{line}{end}"]) for line in (1, 2) for end in (1, 2) for axis in "xy"] == record[
        "recist"
    ]
    assert [float(first[f"box_{name}"]) for name in ("x1", "y1", "x2", "y2")] == record["box"]
    assert float(first["slice_interval_mm"]) == record["slice_interval"]
    assert float(first["z"]) == record["location"]["z"]
    assert (first["possibly_noisy"], first["mean_hu"], first["follow_up"]) == ("0", "", "")


def test_other_lists_filter_too(client: Client, many: list[Lesion]) -> None:
    def count(address: str) -> int:
        return len(client.get(f"/api/v1/{address}").json()["results"])

    assert count("patients/?sex=F") == 2
    assert count("patients/?number=3&collection=many") == 1
    assert count("studies/?patient=3") == 1
    assert count("series/?patient=3&study=1") == 1
    assert client.get("/api/v1/patients/?sex=X").json()["errors"][0]["parameter"] == "sex"
    assert client.get("/api/v1/releases/?state=draft").status_code == 400


def test_options_name_the_formats_of_a_list_and_of_a_lesion(client: Client, many: list[Lesion]) -> None:
    for address, formats in (
        (LESIONS, ["application/json", "text/csv"]),
        (f"{LESIONS}{many[0].pk}/", ["application/json"]),
        ("/api/v1/series/", ["application/json"]),
    ):
        for accept in ("*/*", "application/json"):
            answer = client.options(address, headers={"Accept": accept})
            assert (answer.status_code, answer.json()["renders"]) == (200, formats), address
    assert client.options(LESIONS, headers={"Accept": "text/csv"}).status_code == 406
