"""The OpenAPI schema: complete, valid, without a warning."""

import io

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from openapi_spec_validator import validate


def test_schema_is_generated_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    assert "warn" not in capsys.readouterr().err.lower()
    validate(yaml.safe_load(out.getvalue()))


def test_schema_lists_the_filters_of_lesions(client: Client, db: None) -> None:
    schema = yaml.safe_load(client.get("/api/v1/schema/").content)
    listed = schema["paths"]["/api/v1/lesions/"]["get"]
    names = {parameter["name"] for parameter in listed["parameters"]}
    assert {"type", "split", "release", "long_mm__gte", "z__lte", "ordering", "cursor", "page_size", "format"} <= names
    assert set(listed["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    assert all(set(operations) <= {"get", "parameters"} for operations in schema["paths"].values())
