"""The detector's pages: the table, one run in every state, downloads."""

import json
import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from detection.models import TrainingRun
from detection.services import runs
from tests import factories
from tests import factories_detection as made
from tests.deeplesion_site.pages import order, text, words
from workers import engine
from workers.engine import lease
from workers.engine.sweep import take_back
from workers.management.commands import train
from workers.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_folder")]


def test_without_runs_the_page_says_what_will_be_there(client: Client, client_of: Callable[[str], Client]) -> None:
    page = text(client, "/runs/")
    assert "No detector has been trained yet" in page
    assert "/jobs/" not in page, "a visitor can start nothing"
    assert 'href="/jobs/new/train/"' in text(client_of("admin"), "/runs/")


def test_the_table_is_sorted_by_what_was_asked_for_and_missing_values_stand_last(client: Client) -> None:
    good = made.make_evaluation(level=0.7).run
    poor = made.make_evaluation(level=0.3).run
    bare = made.make_run(state="trained")
    assert order(text(client, "/runs/")) == [bare.pk, poor.pk, good.pk]
    assert order(text(client, "/runs/?sort=-average")) == [good.pk, poor.pk, bare.pk]
    assert order(text(client, "/runs/?sort=average")) == [poor.pk, good.pk, bare.pk]
    assert order(text(client, "/runs/?sort=-4")) == [good.pk, poor.pk, bare.pk]
    assert order(text(client, "/runs/?sort=nonsense")) == [bare.pk, poor.pk, good.pk]
    assert 'aria-sort="descending"' in text(client, "/runs/?sort=-average")


def test_only_the_usual_evaluation_stands_in_the_table(client: Client) -> None:
    run = made.make_run(state="trained")
    made.make_evaluation(run=run, level=0.2, split="val")
    made.make_evaluation(run=run, level=0.3, convention="strict")
    made.make_evaluation(run=run, level=0.4)
    page = text(client, "/runs/")
    assert "0.400" in page
    assert "0.200" not in page
    assert "0.300" not in page


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "The run waits for a worker."),
        ({"state": "training"}, "The detector is learning."),
        ({"state": "training", "step": 0, "steps": 0, "curve": {}}, "The release is made ready"),
        (
            {"state": "failed", "message": "r-1 lacks the image 7"},
            "Training failed at step 100 of 200. R-1 lacks the image 7.",
        ),
        (
            {"state": "stopped", "message": "It was stopped"},
            "Training was stopped at step 100 of 200. It was stopped.",
        ),
        ({"state": "cancelled"}, "Training was cancelled before it began."),
        ({"state": "trained"}, "Not evaluated yet"),
    ],
)
def test_a_run_says_what_becomes_of_it(client: Client, values: dict[str, object], said: str) -> None:
    run = made.make_run(**values)
    page = text(client, f"/runs/{run.pk}/")
    assert said in words(page)
    assert ("every 2s" in page) == run.is_unfinished
    assert page.count("<h1") == 1


def test_the_command_to_go_on_names_all_that_makes_it_the_same_run(client_of: Callable[[str], Client]) -> None:
    asked = {"release": "first-1.0", "preset": "paper", "seed": 7, "fraction": 0.25, "weights": "random"}
    options = {"backbone": "alexnet", "epochs": 5, "flip": True, "scale": 0.1, "z_jitter": 1.5}
    run = runs.run_request(**asked, options=options)
    TrainingRun.objects.filter(pk=run.pk).update(state="stopped", started=timezone.now(), finished=timezone.now())
    said = re.search(r"<code>manage\.py train ([^<]+)</code>", text(client_of("admin"), f"/runs/{run.pk}/"))
    assert said
    parsed = vars(train.Command().create_parser("manage.py", "train").parse_args(shlex.split(said[1])))
    given = {name: parsed[name] for name in runs.OPTIONS if parsed[name] is not None}
    assert runs.run_known(**{name: parsed[name] for name in asked}, options=given) == run


def test_while_it_trains_the_progress_brings_the_newest_curve(client: Client) -> None:
    run = made.make_run(state="training", seconds_left=75.0)
    assert 'data-figure="figure-losses"' in text(client, f"/runs/{run.pk}/")
    part = text(client, f"/runs/{run.pk}/progress/")
    assert "step 100 of 200, 1 min 15 s left" in words(part)
    found = re.search(r'<pre hidden data-live-figure="figure-losses">(.*?)</pre>', part, re.DOTALL)
    assert found
    figure = json.loads(found[1].replace("&quot;", '"'))
    assert figure["data"][0]["x"][-1] == 100
    assert [trace["name"] for trace in figure["data"]][-1] == "validation"
    assert "HX-Refresh" not in client.get(f"/runs/{run.pk}/progress/").headers
    assert client.get(f"/runs/{run.pk}/progress/?drawn=no").headers["HX-Refresh"] == "true"


def test_when_it_is_over_the_page_loads_anew(client: Client) -> None:
    run = made.make_evaluation().run
    assert client.get(f"/runs/{run.pk}/progress/").headers["HX-Refresh"] == "true"
    made.make_evaluation(run=run, split="val", state="running", started=run.started, done=3, total=12, targets=False)
    part = client.get(f"/runs/{run.pk}/progress/")
    assert "HX-Refresh" not in part.headers
    assert "image 3 of 12" in words(part.content.decode())


def test_a_trained_run_whose_evaluation_waits_says_so_until_it_is_there(
    client: Client, client_of: Callable[[str], Client]
) -> None:
    run = made.make_run(state="trained")
    job = engine.enqueue(kind="evaluate", params={"run": run.pk})
    page = text(client_of("admin"), f"/runs/{run.pk}/")
    assert f"The evaluation in the test split waits for a worker. Job {job.pk}" in words(page)
    assert f'href="/jobs/{job.pk}/"' in page
    assert "every 2s" in page
    assert "Not evaluated yet" not in page
    assert "Evaluate it" not in page
    seen = text(client, f"/runs/{run.pk}/")
    assert "waits for a worker." in words(seen)
    assert "/jobs/" not in seen, "a visitor sees no jobs"
    listed = text(client, "/runs/")
    assert "every 5s" in listed
    assert "evaluation waits for a worker" in listed
    assert "HX-Refresh" not in client.get(f"/runs/{run.pk}/progress/").headers
    engine.cancel(job.pk)
    assert client.get(f"/runs/{run.pk}/progress/").headers["HX-Refresh"] == "true"


def test_an_evaluation_that_failed_says_why(client: Client) -> None:
    run = made.make_run(state="trained")
    made.make_evaluation(
        run=run,
        state="failed",
        message="there are no lesions",
        started=run.started,
        finished=run.finished,
        targets=False,
    )
    assert "The evaluation in the test split failed. There are no lesions." in words(text(client, f"/runs/{run.pk}/"))
    run.evaluations.update(state="cancelled", started=None)
    assert "in the test split was cancelled before it began." in words(text(client, f"/runs/{run.pk}/"))


def test_results_on_patients_are_not_called_the_phantoms(client: Client, dataset: SimpleNamespace) -> None:
    assert "phantom" not in text(client, f"/runs/{dataset.evaluation.run_id}/").lower()


def test_results_on_the_phantom_are_called_so(client: Client, phantom_dataset: SimpleNamespace) -> None:
    assert "Results on the phantom." in text(client, f"/runs/{phantom_dataset.evaluation.run_id}/")
    assert "results on the phantom" in text(client, "/runs/")
    assert "These are results on the phantom, not on patients." in words(text(client, "/detecting/"))


def test_a_cancelled_run_says_nothing_of_training_or_results(client: Client, phantom_dataset: SimpleNamespace) -> None:
    said = words(text(client, f"/runs/{made.make_run(state='cancelled').pk}/"))
    assert "Preset tiny on first-1.0 ." in said
    assert "Cancelled" in said
    assert "of training" not in said
    assert "phantom" not in said.lower()
    assert "Preset tiny , trained on first-1.0 in" in words(
        text(client, f"/runs/{phantom_dataset.evaluation.run_id}/")
    )


def test_both_checkpoints_are_named_to_those_who_may_reach_them(client_of: Callable[[str], Client]) -> None:
    run = made.make_run(state="trained", hashes={"checkpoint.pt": "c" * 64, "best.pt": "d" * 64})
    said = words(text(client_of("admin"), f"/runs/{run.pk}/"))
    assert "Last checkpoint runs/1/checkpoint.pt" in said
    assert f"Best in the validation split runs/{run.pk}/best.pt" in said
    assert "best.pt" not in text(client_of("researcher"), f"/runs/{run.pk}/")


def test_files_are_downloaded_under_the_run_s_name(client_of: Callable[[str], Client]) -> None:
    evaluation = made.make_evaluation()
    made.write_files(evaluation)
    for address, name in (
        (f"{evaluation.pk}/detections.csv", "test-detections.csv"),
        (f"{evaluation.pk}/report.json", "test-report.json"),
        ("metrics.jsonl", "metrics.jsonl"),
    ):
        answer = client_of("researcher").get(f"/runs/{evaluation.run_id}/{address}")
        assert answer["Content-Disposition"] == f'attachment; filename="run-{evaluation.run_id}-{name}"'
        assert name.split("-")[-1] in b"".join(answer).decode()
    other = made.make_run(state="trained")
    assert client_of("researcher").get(f"/runs/{other.pk}/{evaluation.pk}/detections.csv").status_code == 404


def test_the_log_is_for_those_who_see_jobs(client: Client, client_of: Callable[[str], Client]) -> None:
    evaluation = made.make_evaluation()
    made.write_files(evaluation)
    assert "train.log" in text(client_of("admin"), f"/runs/{evaluation.run_id}/")
    for role in ("anonymous", "researcher", "curator"):
        assert "train.log" not in text(client_of(role), f"/runs/{evaluation.run_id}/")


@pytest.mark.parametrize("count", [1, 8])
def test_queries_do_not_grow_with_the_runs(
    client: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    runs = [made.make_evaluation(run=made.make_run(state="trained", fraction=1 / (n + 1))).run for n in range(count)]
    for n, run in enumerate(runs):
        made.make_evaluation(run=run, split="val")
        place = factories.make_slice(pixels=None)
        made.make_target(run.evaluations.get(split="test"), file_name=place.file_name, patient=n + 5)
    with django_assert_num_queries(3):
        client.get("/runs/")
    with django_assert_num_queries(8):
        client.get(f"/runs/{runs[0].pk}/")
    with django_assert_num_queries(2):
        client.get("/api/v1/runs/")
    with django_assert_num_queries(1):
        client.get("/api/v1/evaluations/")


def test_the_api_tells_of_runs_and_evaluations(client: Client) -> None:
    evaluation = made.make_evaluation()
    made.make_run(preset="paper")
    assert [run["preset"] for run in client.get("/api/v1/runs/").json()["results"]] == ["paper", "tiny"]
    assert [run["preset"] for run in client.get("/api/v1/runs/?state=trained").json()["results"]] == ["tiny"]
    run = client.get(f"/api/v1/runs/{evaluation.run_id}/").json()
    assert (run["release"], run["evaluations"]) == ("first-1.0", [evaluation.pk])
    found = client.get(f"/api/v1/evaluations/?run={evaluation.run_id}&split=test").json()["results"][0]
    assert found["sensitivity"]["4"] == pytest.approx(0.7)
    assert found["average_band"] == pytest.approx([0.5, 0.7])
    assert found["detections_url"].endswith(f"/runs/{evaluation.run_id}/{evaluation.pk}/detections.csv")
    assert "report" not in found, "figures are in report.json"
    assert client.get("/api/v1/runs/?preset=huge").status_code == 400
    queued = made.make_evaluation(run=evaluation.run, split="val", state="queued", targets=False)
    assert client.get(f"/api/v1/evaluations/{queued.pk}/").json()["detections_url"] is None


def test_the_overview_tells_of_the_newest_run(client: Client, dataset: SimpleNamespace) -> None:
    said = words(text(client, "/"))
    assert "Finds 0.700 of the 2 lesions of its test patients at 4 false positives per image, 0.550 at 1." in said
    assert "phantom" not in said.lower()
    made.make_run(state="training", seconds_left=60)
    part = text(client, "/detecting/")
    assert "step 100 of 200, 1 min 0 s left" in words(part)
    assert "every 3s" in part
    made.make_run(state="failed", message="it diverged")
    assert "It diverged." in words(text(client, "/detecting/"))


def test_without_a_run_the_overview_keeps_silent(client: Client) -> None:
    assert text(client, "/detecting/").strip() == ""


def test_a_run_whose_worker_was_lost_says_that_it_goes_on(client_of: Callable[[str], Client]) -> None:
    client = client_of("admin")
    run = runs.run_request(release="first-1.0", preset="tiny")
    factories.make_job(kind="train", params={"release": "first-1.0", "preset": "tiny", "seed": 1}, state="running")
    job = engine.enqueue(kind="train", params={"release": "first-1.0", "preset": "tiny"}, send=False)
    assert lease.claim(job.pk, "a:1")
    runs.run_begin(run, device="cpu", code_version="1", torch_version="2")
    told = "The training was interrupted; it goes on with the next attempt."
    assert told not in text(client, f"/runs/{run.pk}/")
    Job.objects.filter(pk=job.pk).update(lease_until=lease.after(-timedelta(seconds=1)))
    take_back()
    drawn_before = client.get(f"/runs/{run.pk}/progress/?interrupted=no")
    assert drawn_before.headers["HX-Refresh"] == "true"
    page = text(client, f"/runs/{run.pk}/")
    assert told in page
    assert '<span class="badge warn">interrupted</span>' in page
    assert "It was interrupted and goes on with the next attempt." in text(client, f"/jobs/{job.pk}/")
    assert "HX-Refresh" not in client.get(f"/runs/{run.pk}/progress/?interrupted=yes").headers
    assert lease.claim(job.pk, "a:2")
    assert told not in text(client, f"/runs/{run.pk}/")
    assert "It was interrupted" not in text(client, f"/jobs/{job.pk}/")
