"""The harvest report counts every annotation, on its page and in both downloads, and names no place in the source."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import Client

from datasets.models import Annotation
from datasets.pacs.pixels import PixelError
from datasets.pacs.resolve import Flag
from datasets.pacs.source import SourceError, SourceUnreachable, Unreadable
from datasets.selectors.harvest_problems import MEANINGS
from datasets.services.harvest import Report
from tests import factories
from workers.models import Job

ClientOf = Callable[[str], Client]


@pytest.fixture
def collection(dataset: SimpleNamespace) -> str:
    Tool, Reason = Annotation.Tool, Annotation.Reason
    for year, modality, tool, reason in (
        (2014, "CT", Tool.BIDIMENSIONAL, ""),
        (2015, "CT", Tool.BIDIMENSIONAL, ""),
        (2015, "CT", Tool.LINE, Reason.NOT_RECIST),
        (None, "MR", Tool.BIDIMENSIONAL, Reason.OTHER_MODALITY),
    ):
        factories.make_annotation(
            collection=dataset.collection, year=year, modality=modality, tool=tool, reason=reason
        )
    return str(dataset.collection.slug)


def test_a_collection_is_counted_by_reason_year_modality_and_tool(client_of: ClientOf, collection: str) -> None:
    found = client_of("curator").get(f"/collections/{collection}/report.json").json()
    assert (found["annotations"], found["lesions"]) == (4, 2)
    assert found["reasons"] == {"lesion": 2, "not_recist": 1, "other_modality": 1}
    assert found["years"] == {"2014": 1, "2015": 2, "unknown": 1}
    assert found["modalities"] == {"CT": 3, "MR": 1}
    assert found["tools"] == {"bidimensional": 3, "line": 1}


def test_page_and_csv_say_the_same(client_of: ClientOf, collection: str) -> None:
    client = client_of("curator")
    page = client.get(f"/collections/{collection}/report/").content.decode()
    answer = client.get(f"/collections/{collection}/report.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert answer["Content-Disposition"] == f'attachment; filename="harvest-{collection}.csv"'
    assert {"table": "tools", "key": "line", "name": "line", "count": "1", "studies": ""} in rows
    for row in rows:
        assert row["name"] in page


def test_a_modality_is_no_formula_in_the_csv(client_of: ClientOf, db: None) -> None:
    report = Report(dry_run=False, studies=1)
    report.modalities["=1+1"] += 1
    job = factories.make_job(state=Job.State.SUCCEEDED, result=report.as_json())
    text = client_of("admin").get(f"/jobs/{job.pk}/report.csv").content.decode()
    assert ["modalities", "'=1+1", "'=1+1", "1", ""] in list(csv.reader(io.StringIO(text)))


def test_a_job_tells_which_studies_failed_with_which_error_and_names_none(client_of: ClientOf, db: None) -> None:
    report = Report(dry_run=False, studies=7)
    for at in (3, 3, 5):
        report.at = at
        report.add("/pacs/DOE^JANE/scan.dcm", SourceUnreachable("pacs.example does not answer"))
    report.note("/pacs/DOE^JANE", "a gap in the series of DOE^JANE", "MissingSlices")
    report.years["2015"] += 2
    job = factories.make_job(state=Job.State.SUCCEEDED, result=report.as_json())
    client = client_of("admin")
    found = client.get(f"/jobs/{job.pk}/report.json").json()
    failed = found["errors"]["SourceUnreachable"]
    assert (failed["count"], failed["studies"]) == (3, [3, 5])
    assert found["noted"]["MissingSlices"]["studies"] == [5]
    for form in ("report/", "report.json", "report.csv"):
        text = client.get(f"/jobs/{job.pk}/{form}").content.decode()
        assert "SourceUnreachable" in text
        assert "MissingSlices" in text
        assert MEANINGS["MissingSlices"] in text
        assert "DOE" not in text
    assert f"/jobs/{job.pk}/report/" in client.get(f"/jobs/{job.pk}/").content.decode()


def test_every_error_that_a_harvest_can_name_has_words() -> None:
    named = {each.__name__ for base in (SourceError, PixelError) for each in base.__subclasses__()}
    assert named <= MEANINGS.keys()
    assert {"".join(map(str.title, flag.split("_"))) for flag in Flag} <= MEANINGS.keys()
    documented = Path("docs/pacs.md").read_text(encoding="utf-8")
    assert [name for name in MEANINGS if f"`{name}`" not in documented] == []


def test_only_harvests_have_a_report(client_of: ClientOf, db: None) -> None:
    job = factories.make_job(kind="manifest")
    assert client_of("admin").get(f"/jobs/{job.pk}/report/").status_code == 404


def test_the_overview_leads_curators_to_the_report(client_of: ClientOf, collection: str) -> None:
    address = f"/collections/{collection}/report/".encode()
    assert address in client_of("curator").get("/").content
    assert address not in client_of("researcher").get("/").content


def test_the_command_line_counts_by_year_modality_and_tool() -> None:
    report = Report(dry_run=False)
    report.years.update({"2016": 1, "2014": 2})
    report.tools["line"] += 3
    lines = report.lines()
    assert "New annotations by year: 2014 2, 2016 1." in lines
    assert "New annotations by tool: line 3." in lines


def test_the_command_line_tells_problems_and_notes_in_words() -> None:
    report = Report(dry_run=False)
    report.add("a/slice", Unreadable("not a DICOM file"))
    report.note("a/report", "a gap", "MissingSlices")
    lines = report.lines()
    assert "1 problem:" in lines
    assert "       1  Unreadable: An object is missing or damaged." in lines
    assert f"       1  MissingSlices: {MEANINGS['MissingSlices']}" in lines
