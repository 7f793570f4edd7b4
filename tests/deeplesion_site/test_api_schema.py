"""The OpenAPI schema: complete, valid, without a warning, and true of what is really answered."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from datasets.models import Split
from tests import factories

LISTS = ("collections", "patients", "studies", "series", "lesions", "releases", "runs", "evaluations")


@pytest.fixture
def schema(client: Client, db: None) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(client.get("/api/v1/schema/").content, Loader=yaml.CSafeLoader)
    return found


@pytest.fixture
def rich(dataset: SimpleNamespace) -> SimpleNamespace:
    """Fill every column of one lesion, and leave all that may be empty empty in another."""
    lesion = dataset.published
    lesion.x, lesion.mean_hu, lesion.std_hu, lesion.min_hu, lesion.max_hu = 0.123456, 40.06, 1 / 3, -10.0, 90.0
    lesion.possibly_noisy, lesion.noise_reasons = True, [{"reason": "area", "value": 1 / 3, "threshold": 100}]
    lesion.flags = ["axes do not cross"]
    lesion.follow_up = factories.make_follow_up(patient=lesion.slice.series.study.patient)
    lesion.save()
    bare = factories.make_lesion(
        slice=factories.make_slice(
            series=factories.make_series(
                study=factories.make_study(
                    patient=factories.make_patient(collection=dataset.collection, number=8, sex=""), age=None
                ),
                slice_interval=None,
            )
        ),
        type=-1,
    )
    factories.make_release([bare], name="bare-1.0", split=Split.VAL, manifest=True)
    dataset.bare = bare
    return dataset


def answer_schema(schema: dict[str, Any], path: str, code: int, media: str = "application/json") -> dict[str, Any]:
    """The schema of an answer, with what it refers to."""
    found = schema["paths"][path]["get"]["responses"][str(code)]["content"][media]["schema"]
    return {**found, "components": schema["components"]}


def faults(answer: Any, schema: dict[str, Any]) -> list[str]:
    """What an answer has against its schema; members that the schema does not name are faults too."""
    closed = _closed(schema)
    checker = OAS31Validator(closed, format_checker=OAS31Validator.FORMAT_CHECKER)
    return [f"{list(error.absolute_path)}: {error.message}" for error in checker.iter_errors(answer)]


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _closed(item) for name, item in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        copy.setdefault("additionalProperties", False)
    return copy


def test_schema_is_generated_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    assert "warn" not in capsys.readouterr().err.lower()
    validate(yaml.safe_load(out.getvalue()))


def test_schema_lists_the_filters_of_lesions(schema: dict[str, Any]) -> None:
    listed = schema["paths"]["/api/v1/lesions/"]["get"]
    parameters = {parameter["name"]: parameter["schema"] for parameter in listed["parameters"]}
    assert {"release", "collection", "z__lte", "cursor", "page_size", "format"} <= set(parameters)
    assert parameters["type"]["items"]["enum"][0] == "bone"
    assert parameters["ordering"] | {"enum": None} == {"type": "string", "default": "file", "enum": None}
    assert parameters["long_mm__gte"] == {"type": "number", "minimum": 0, "maximum": 4000}
    assert parameters["patient"]["type"] == "integer"
    content = listed["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/csv"}
    assert content["text/csv"]["schema"] == {"type": "string"}
    written = {path for path, operations in schema["paths"].items() if not set(operations) <= {"get", "parameters"}}
    reviews, jobs = ("/api/v1/reviews/", "/api/v1/reviews/{id}/undo/"), ("", "cost/", "{id}/cancel/", "{id}/retry/")
    assert written == {*reviews, *(f"/api/v1/jobs/{address}" for address in jobs)}


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize("role", ["anonymous", "curator"])
def test_lists_and_rows_are_as_the_schema_says(
    what: str, role: str, schema: dict[str, Any], rich: SimpleNamespace, client_of: Any
) -> None:
    client = client_of(role)
    first = client.get(f"/api/v1/{what}/?page_size=1").json()
    whole = client.get(f"/api/v1/{what}/").json()
    listed = answer_schema(schema, f"/api/v1/{what}/", 200)
    assert faults(first, listed) == faults(whole, listed) == []
    assert whole["results"]
    key = {"collections": "slug", "releases": "name"}.get(what, "id")
    single = answer_schema(schema, f"/api/v1/{what}/{{{key}}}/", 200)
    for row in whole["results"]:
        assert faults(client.get(f"/api/v1/{what}/{row[key]}/").json(), single) == []


def test_the_check_can_fail(schema: dict[str, Any], rich: SimpleNamespace, client: Client) -> None:
    whole = client.get("/api/v1/lesions/").json()
    listed = answer_schema(schema, "/api/v1/lesions/", 200)
    row = whole["results"][0]
    for wrong in ({"box": "1,2,3,4"}, {"location": []}, {"extra": 1}, {"type": "brain"}):
        assert faults({**whole, "results": [{**row, **wrong}]}, listed)
    del row["hu"]
    assert faults(whole, listed)


@pytest.mark.parametrize(
    ("address", "path", "code"),
    [
        ("lesions/?type=brain", "/api/v1/lesions/", 400),
        ("lesions/?colour=red", "/api/v1/lesions/", 400),
        ("series/?cursor=nonsense", "/api/v1/series/", 400),
        ("patients/999999/", "/api/v1/patients/{id}/", 404),
        ("patients/999999/?colour=red", "/api/v1/patients/{id}/", 400),
        ("releases/nope/", "/api/v1/releases/{name}/", 404),
    ],
)
def test_errors_are_as_the_schema_says(
    address: str, path: str, code: int, schema: dict[str, Any], client: Client
) -> None:
    answer = client.get(f"/api/v1/{address}")
    assert answer.status_code == code
    assert faults(answer.json(), answer_schema(schema, path, code, answer["Content-Type"])) == []


def test_a_format_that_is_not_there_is_in_the_schema_too(schema: dict[str, Any], client: Client) -> None:
    answer = client.get("/api/v1/lesions/", headers={"Accept": "application/xml"})
    assert answer.status_code == 406
    assert faults(answer.json(), answer_schema(schema, "/api/v1/lesions/", 406, answer["Content-Type"])) == []


@pytest.mark.parametrize("public", [True, False])
def test_an_account_is_needed_only_where_reading_is_not_public(
    public: bool, client: Client, db: None, settings: SimpleNamespace
) -> None:
    settings.PUBLIC_READ = public
    schema = yaml.safe_load(client.get("/api/v1/schema/").content)
    for path, operations in schema["paths"].items():
        of_curators = path.startswith(("/api/v1/reviews/", "/api/v1/proposals/", "/api/v1/jobs/"))
        for operation in operations.values():
            assert ({} in operation["security"]) is (not of_curators and (public or path == "/api/v1/")), path
    if not public:
        answer = client.get("/api/v1/lesions/")
        assert answer.status_code == 401
        assert faults(answer.json(), answer_schema(schema, "/api/v1/lesions/", 401, answer["Content-Type"])) == []


def test_the_root_names_every_list(schema: dict[str, Any], client: Client, dataset: SimpleNamespace) -> None:
    root = client.get("/api/v1/").json()
    assert faults(root, answer_schema(schema, "/api/v1/", 200)) == []
    assert set(root) == {*LISTS, "schema", "documentation"}
    assert {name: client.get(address).status_code for name, address in root.items()} == dict.fromkeys(root, 200)
    listed = {path for path in schema["paths"] if "{" not in path}
    listed -= {
        "/api/v1/reviews/",
        "/api/v1/proposals/",
        "/api/v1/jobs/",
        "/api/v1/jobs/cost/",
    }  # for curators and administrators
    assert {"/api/v1/", *(address.removeprefix("http://testserver") for address in root.values())} >= listed
