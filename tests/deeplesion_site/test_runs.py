"""The detector's pages: the table, one run in every state, two runs side by side, downloads."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from datasets import phantom
from deeplesion_site.dashboard import froc_lines, run_charts
from detection import selectors
from detection.models import Detection, TrainingRun
from detection.services import runs
from tests import factories
from tests import factories_detection as made
from workers import engine
from workers.management.commands import train

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: SimpleNamespace, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def text(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


def words(page: str) -> str:
    """The page without its marks, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def order(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'scope="row"><a href="/runs/(\d+)/"', page)]


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


def test_a_finished_run_shows_every_figure_and_its_numbers(client: Client, dataset: SimpleNamespace) -> None:
    run = dataset.evaluation.run
    page = text(client, f"/runs/{run.pk}/")
    figures = re.findall(r'data-figure="([^"]+)"', page)
    assert figures == ["figure-froc", "figure-by-type", "figure-by-size", "figure-by-iou", "figure-losses"]
    said = words(page)
    assert "0.5 0.500 0.400–0.600" in said
    assert re.search(r"3 0\.650 0\.550–0\.750 4 0\.700 \S+ 5 0\.750", said), "the rates of the paper itself"
    assert "16 0.850 0.750–0.950" in said
    assert "0.5 0.500 (0.40–0.60) 0.500" in said, "by type: liver with its band, lung of one patient without"
    assert "0.3 0.500 (0.40–0.60) 0.550 (0.45–0.65) 0.600 (0.50–0.70)" in said, "by overlap, at 0.5, 1, 2 FP"
    assert "Manifest SHA-256 " + "a" * 64 in said
    assert page.count("<table") == page.count("<caption")
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert " style=" not in re.sub(r'<span style="background: var\(--[\w-]+\)">', "", page)


def test_curves_run_from_few_false_positives_to_many_in_whatever_order_a_report_is_kept() -> None:
    """PostgreSQL keeps the names of an object in its own order, in which 0.5 comes after 16."""
    found = made.make_evaluation()
    found.report, found.sensitivity = _backwards(found.report), _backwards(found.sensitivity)
    by_type, by_size, by_iou = (each(found) for each in (run_charts.by_type, run_charts.by_size, run_charts.by_iou))
    for chart in (run_charts.froc(found, official=False), by_type, by_size, by_iou):
        for trace in chart.figure["data"]:
            assert trace["x"] == sorted(trace["x"]), chart.title
    assert [name.split()[0] for name in by_type.head[1:]] == ["liver", "lung"]
    assert [name[0] for name in by_size.head[1:]] == ["<", "≥"]


def _backwards(said: Any) -> Any:
    """The same object with its names in the opposite order."""
    return {name: _backwards(said[name]) for name in reversed(said)} if isinstance(said, dict) else said


def test_curves_by_type_rise_where_they_do_and_those_of_one_patient_are_dotted() -> None:
    chart = run_charts.by_type(made.make_evaluation())
    liver, lung, *points = chart.figure["data"]
    assert [trace["name"] for trace in (liver, lung)] == ["liver (n = 3)", "lung (n = 1)"]
    assert [trace["mode"] for trace in (liver, lung, *points)] == ["lines", "lines", "markers", "markers"]
    at = liver["x"].index(2.1)
    assert (liver["y"][at : at + 2], liver["x"][at + 1]) == ([0.5, 0.7], 2.1)
    assert [trace["line"]["dash"] for trace in (liver, lung)] == ["solid", "dot"]
    assert "Dotted" in chart.caption
    assert "Dotted" not in run_charts.by_iou(made.make_evaluation()).caption
    older = made.make_report()
    for part in older["by_type"].values():
        del part["curve"]
    assert [trace["mode"] for trace in run_charts.by_type(made.make_evaluation(report=older)).figure["data"]] == [
        "lines+markers",
        "lines+markers",
    ]


def test_a_curve_comes_from_the_left_end_of_the_axis() -> None:
    """The origin lies infinitely far to the left on an axis of powers."""
    report = made.make_report()
    report["curve"] = {"false_positives": [1.0, 8.0], "sensitivity": [0.5, 0.6], "score": [0.9, 0.1]}
    found = made.make_evaluation(report=report)
    pair = run_charts.two_runs([(found.run, found), (found.run, found)])
    for chart in (run_charts.froc(found, official=False), pair):
        line = next(trace for trace in chart.figure["data"] if trace.get("name") in ("this run", str(found.run)))
        assert line["x"][0] == pytest.approx(10 ** chart.figure["layout"]["xaxis"]["range"][0], abs=1e-4)
        assert line["y"][0] == pytest.approx(0.5 * line["x"][0], abs=1e-4)
        assert (line["x"][-1], line["y"][-1]) == pytest.approx((8, 0.6), rel=0.05)


def test_published_figures_are_marked_as_measured_on_other_data_unless_it_is_that_data(client: Client) -> None:
    from detection.selectors import OFFICIAL_TEST

    other = made.make_evaluation()
    official = made.make_evaluation(truth_sha256=OFFICIAL_TEST)
    assert "MULAN (Yan 2019), on other data" in text(client, f"/runs/{other.run_id}/")
    page = text(client, f"/runs/{official.run_id}/")
    assert "on other data" not in page
    assert "published for this very split. Newer work (A3D, SATr, DKMA-ULD) reports 0.78 to 0.81 at 0.5" in page
    for values, way in (({"iou": 0.3}, "IoU 0.3"), ({"convention": "strict"}, "strict")):
        otherwise = made.make_evaluation(truth_sha256=OFFICIAL_TEST, **values)
        page = text(client, f"/runs/{otherwise.run_id}/?evaluation={otherwise.pk}")
        assert "MULAN (Yan 2019), scored otherwise" in page, way
        assert "published for this very split" not in page
        assert "at IoU 0.5 in the literature’s convention" in page


def test_results_on_the_phantom_are_called_so(client: Client, dataset: SimpleNamespace) -> None:
    run = dataset.evaluation.run
    assert "phantom" not in text(client, f"/runs/{run.pk}/").lower()
    dataset.collection.slug = phantom.COLLECTION
    dataset.collection.save()
    assert "Results on the phantom." in text(client, f"/runs/{run.pk}/")
    assert "results on the phantom" in text(client, "/runs/")


def test_a_cancelled_run_says_nothing_of_training_or_results(client: Client, dataset: SimpleNamespace) -> None:
    dataset.collection.slug = phantom.COLLECTION
    dataset.collection.save()
    said = words(text(client, f"/runs/{made.make_run(state='cancelled').pk}/"))
    assert "Preset tiny on first-1.0 ." in said
    assert "Cancelled" in said
    assert "of training" not in said
    assert "phantom" not in said.lower()
    assert "Preset tiny , trained on first-1.0 in" in words(text(client, f"/runs/{dataset.evaluation.run_id}/"))


def test_both_checkpoints_are_named_to_those_who_may_reach_them(client_of: Callable[[str], Client]) -> None:
    run = made.make_run(state="trained", hashes={"checkpoint.pt": "c" * 64, "best.pt": "d" * 64})
    said = words(text(client_of("admin"), f"/runs/{run.pk}/"))
    assert "Last checkpoint runs/1/checkpoint.pt" in said
    assert f"Best in the validation split runs/{run.pk}/best.pt" in said
    assert "best.pt" not in text(client_of("researcher"), f"/runs/{run.pk}/")


def test_pictures_draw_boxes_in_the_paper_s_words_and_open_the_lesion(
    client: Client, dataset: SimpleNamespace
) -> None:
    run = dataset.evaluation.run
    page = text(client, f"/runs/{run.pk}/")
    assert f'<a href="/lesions/{dataset.published.pk}/?release=first-1.0"' in page
    assert f'href="/slices/{dataset.published.slice_id}.png?low=-1500&amp;high=500&amp;size=512"' in page
    assert "lung, 16 mm: found at 0.90; 1 false positive" in page
    assert "lung, 16 mm: missed; 1 false positive" in page
    assert '<rect class="truth" x="233.0" y="238.0" width="35.0" height="25.0"' in page
    kinds = re.findall(r'<rect class="(\w+)"', page)
    assert sorted(kinds) == ["correct", "false", "false", "missed", "truth", "truth"]
    missed = text(client, f"/runs/{run.pk}/?pictures=missed")
    assert re.findall(r'class="tile-name">([^<]+)', missed) == ["000002_01_01_020.png"]


def test_a_picture_of_what_one_may_not_see_is_boxes_alone(client: Client, dataset: SimpleNamespace) -> None:
    made.make_target(dataset.evaluation, file_name="000003_01_01_020.png", patient=3)
    page = text(client, f"/runs/{dataset.evaluation.run_id}/")
    assert "000003_01_01_020.png" in page
    hidden = dataset.unpublished
    assert f"/slices/{hidden.slice_id}.png" not in page
    assert f"/lesions/{hidden.pk}/" not in page


def test_shares_of_the_training_patients_make_a_figure(client: Client) -> None:
    whole = made.make_evaluation(run=made.make_run(state="trained", fraction=1.0))
    assert "figure-by-share" not in text(client, f"/runs/{whole.run_id}/")
    made.make_evaluation(run=made.make_run(state="trained", fraction=0.25), level=0.3)
    page = text(client, f"/runs/{whole.run_id}/")
    assert "figure-by-share" in page
    said = words(page)
    assert "25% (run" in said
    assert (
        "a smaller share is part of a larger one. The table tells 95% bands over patients. Shaded: these bands."
        in said
    )
    assert "0.5 0.300 (0.20–0.40) 0.500 (0.40–0.60)" in said
    made.make_evaluation(run=made.make_run(state="trained", fraction=0.5, seed=1), level=0.4)
    said = words(text(client, f"/runs/{whole.run_id}/"))
    assert "a share of the training patients, which were drawn by different seeds." in said


def test_shares_and_overlaps_are_drawn_with_their_bands_behind_them() -> None:
    whole = made.make_evaluation(run=made.make_run(state="trained", fraction=1.0))
    made.make_evaluation(run=made.make_run(state="trained", fraction=0.25), level=0.3)
    by_share = run_charts.by_share(selectors.over_shares(whole)).figure["data"]
    assert [trace["mode"] for trace in by_share] == [*4 * ["lines"], *2 * ["lines"], *2 * ["markers"]]
    assert [trace.get("fillcolor") for trace in by_share[:4]] == [
        None,
        "token:--step-1/0.16",
        None,
        "token:--step-2/0.16",
    ]
    assert by_share[4]["x"][0] == pytest.approx(10**froc_lines.LEFT, abs=1e-4)
    by_iou = run_charts.by_iou(whole).figure["data"]
    assert [trace.get("fill") for trace in by_iou] == [*6 * [None, "tonexty"], *6 * [None]]
    assert by_iou[1]["x"] == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


def test_a_report_of_an_earlier_version_has_no_bands_by_overlap() -> None:
    older = made.make_report()
    for part in older["by_iou"].values():
        part.pop("bands")
    chart = run_charts.by_iou(made.make_evaluation(report=older))
    assert "band" not in chart.caption
    assert chart.rows[0][1:3] == ("0.500", "0.550")


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
    dataset.collection.slug = phantom.COLLECTION
    dataset.collection.save()
    assert "These are results on the phantom, not on patients." in words(text(client, "/detecting/"))
    made.make_run(state="training", seconds_left=60)
    part = text(client, "/detecting/")
    assert "step 100 of 200, 1 min 0 s left" in words(part)
    assert "every 3s" in part
    made.make_run(state="failed", message="it diverged")
    assert "It diverged." in words(text(client, "/detecting/"))


def test_without_a_run_the_overview_keeps_silent(client: Client) -> None:
    assert text(client, "/detecting/").strip() == ""


def test_scores_of_a_picture_stand_apart_within_what_is_shown(client: Client, dataset: SimpleNamespace) -> None:
    name = dataset.published.slice.file_name
    for shift in (0, 3):
        Detection.objects.create(
            evaluation=dataset.evaluation, file_name=name, outcome=Detection.Outcome.FALSE_POSITIVE, overlap=0.0,
            score=0.65 - shift / 100, x1=425.0, y1=100.0 + shift, x2=450.0, y2=130.0 + shift,
        )  # fmt: skip
    page = text(client, f"/runs/{dataset.evaluation.run_id}/")
    labels = re.findall(r'<text class="false" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"[^>]*>0.(?:650|620)<', page)
    assert [anchor for _, _, anchor in labels] == ["end", "end"], "the air right of the body is cut off"
    (_, first, _), (_, second, _) = labels
    assert float(second) - float(first) >= 512 / 26
