"""The figures on a detector's pages."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from deeplesion_site.dashboard import froc_lines, run_charts
from detection import selectors
from tests import factories_detection as made
from tests.deeplesion_site.pages import text, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_folder")]


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


def test_shares_are_drawn_with_their_bands_behind_them() -> None:
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


def test_of_the_six_lines_by_overlap_one_has_its_band_behind_it_and_all_tell_theirs() -> None:
    """Six of them on each other cannot be told apart."""
    chart = run_charts.by_iou(made.make_evaluation(run=made.make_run(state="trained")))
    low, high, *lines = chart.figure["data"]
    assert (low.get("fill"), high["fill"], high["fillcolor"]) == (None, "tonexty", "token:--step-4/0.16")
    assert lines[3]["name"] == "4 FP"
    assert high["x"] == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert [trace.get("fill") for trace in lines] == 6 * [None]
    assert all(said.startswith(" (") for trace in lines for said in trace["customdata"])
    assert chart.caption.endswith("Shaded: the band at 4 FP.")


def test_an_early_peak_does_not_press_the_losses_to_the_floor() -> None:
    steps = list(range(1, 201))
    falling = [0.2 + 1.8 * 0.97**step for step in steps]
    curve = {"train": {"step": steps, "loss": falling}, "val": {"step": [10, 200], "loss": [60.0, 0.4]}}
    chart = run_charts.losses(curve)
    low, high = chart.figure["layout"]["yaxis"]["range"]
    assert (low, max(falling) < high < 3) == (0, True)
    assert chart.caption.endswith("Peaks go beyond the figure, up to 60.")
    # What it came to is shown, however bad.
    late = {**curve, "val": {"step": [10, 200], "loss": [60.0, 50.0]}}
    assert run_charts.losses(late).figure["layout"]["yaxis"]["range"][1] > 50
    even = run_charts.losses({**curve, "val": {"step": [10, 200], "loss": [1.0, 0.4]}})
    assert "range" not in even.figure["layout"]["yaxis"]
    assert "Peaks" not in even.caption


def test_a_training_of_one_step_has_its_loss_drawn() -> None:
    chart = run_charts.losses({"train": {"step": [1], "loss": [1.6]}, "val": {"step": [], "loss": []}})
    assert chart.figure["data"][0]["y"] == [1.6]
    assert "Peaks" not in chart.caption


def test_a_report_of_an_earlier_version_has_no_bands_by_overlap() -> None:
    older = made.make_report()
    for part in older["by_iou"].values():
        part.pop("bands")
    chart = run_charts.by_iou(made.make_evaluation(report=older))
    assert "band" not in chart.caption
    assert chart.rows[0][1:3] == ("0.500", "0.550")
