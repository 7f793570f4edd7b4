"""Two runs of the detector side by side."""

import pytest
from django.test import Client

from tests import factories_detection as made
from tests.deeplesion_site.pages import text, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_folder")]


def test_two_runs_are_compared_over_the_same_patients(client: Client) -> None:
    first, second = made.make_evaluation(level=0.4), made.make_evaluation(level=0.5)
    page = text(client, f"/runs/compare/?run={first.run_id}&run={second.run_id}")
    assert "figure-two-runs" in page
    assert "95% band" in page
    assert f"Run {second.run_id} finds more lesions" in page
    alike = made.make_evaluation(level=0.4)
    assert "No difference is shown" in text(client, f"/runs/compare/?run={first.run_id}&run={alike.run_id}")
    older = made.make_report()
    del older["bootstrap"]["average_sensitivity"]
    bare = made.make_evaluation(report=older)
    assert "has no band" in text(client, f"/runs/compare/?run={first.run_id}&run={bare.run_id}")


def test_runs_of_one_preset_are_told_apart_by_their_options_and_seeds(client: Client) -> None:
    plain, other = (
        made.make_evaluation(run=made.make_run(state="trained", **values))
        for values in ({}, {"seed": 3, "options": {"backbone": "resnet50", "flip": True, "z_jitter": 1.5}})
    )
    assert "tiny seed 3 backbone resnet50, flip, z jitter 1.5 first-1.0" in words(text(client, "/runs/"))
    page = words(text(client, f"/runs/compare/?run={plain.run_id}&run={other.run_id}"))
    assert "Options – backbone resnet50, flip, z jitter 1.5 Share" in page


@pytest.mark.parametrize("query", ["", "?run=1", "?run=x&run=y", "?run={first}&run={first}"])
def test_two_different_runs_are_needed(client: Client, query: str) -> None:
    first = made.make_evaluation().run_id
    assert "Choose two different runs" in text(client, f"/runs/compare/{query.format(first=first)}")


def test_runs_that_looked_for_different_lesions_are_not_compared(client: Client) -> None:
    first, second = made.make_evaluation(), made.make_evaluation(truth_sha256="c" * 64)
    page = text(client, f"/runs/compare/?run={first.run_id}&run={second.run_id}")
    assert "were tested on different lesions" in page
    bare = made.make_run(state="trained")
    page = text(client, f"/runs/compare/?run={first.run_id}&run={bare.pk}")
    assert f"Run {bare.pk} has no result in the test split yet." in page
    assert client.get(f"/runs/compare/?run={first.run_id}&run=999999").status_code == 404
