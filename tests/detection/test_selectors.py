"""Pictures, learning curve and the difference of two runs, without any file."""

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from detection import selectors
from detection.data.table import read_lesions
from detection.evaluation import bootstrap
from detection.evaluation.matching import match
from detection.evaluation.report import report
from detection.evaluation.tables import Detections, truth_of
from tests import factories_detection as factories
from tests.detection.releases import row, write_table

pytestmark = pytest.mark.django_db


def test_the_worst_misses_are_those_never_hit_then_the_least_sure():
    evaluation = factories.make_evaluation(targets=False)
    for number, score in enumerate((0.9, None, 0.4, 0.2), start=1):
        factories.make_target(evaluation, file_name=f"00000{number}_01_01_010.png", score=score)
    names = selectors.worst_misses(evaluation, 5)
    assert [int(name[:6]) for name in names] == [2, 4, 3]


def test_random_images_follow_the_seed():
    evaluation = factories.make_evaluation(targets=False)
    for number in range(1, 31):
        factories.make_target(evaluation, file_name=f"{number:06d}_01_01_010.png")
    drawn = [selectors.drawn_at_random(evaluation, 6, seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 6


def test_pictures_take_two_queries_and_show_sure_detections(django_assert_num_queries: DjangoAssertNumQueries):
    evaluation = factories.make_evaluation()
    names = selectors.drawn_at_random(evaluation, 50, 0)
    with django_assert_num_queries(2):
        pictures = selectors.pictures(evaluation, names)
    assert [picture.file_name for picture in pictures] == names
    assert all(picture.targets for picture in pictures)
    assert all(each.score > 0.5 for picture in pictures for each in picture.detections)


def test_shares_are_those_of_detectors_made_the_same_way():
    whole = factories.make_evaluation(run=factories.make_run(state="trained", fraction=1.0))
    half = factories.make_evaluation(run=factories.make_run(state="trained", fraction=0.5))
    factories.make_evaluation(run=factories.make_run(state="trained", fraction=0.25, preset="paper"))
    factories.make_evaluation(run=factories.make_run(state="trained", fraction=0.1, release="other"))
    factories.make_evaluation(run=factories.make_run(state="trained", fraction=0.75, weights="vgg16-397923af.pth"))
    without = factories.make_report()
    del without["bands"]
    bare = factories.make_evaluation(run=factories.make_run(state="trained", fraction=0.2), report=without)
    shares = selectors.over_shares(whole)
    assert [each.evaluation for each in shares] == [bare, half, whole]
    assert [each.bands.get("4") for each in shares] == [None, *2 * [whole.report["bands"]["sensitivity"]["4"]]]


def test_a_share_of_a_preset_that_has_changed_since_is_left_out():
    def evaluated(fraction, **made):
        facts = {"preset": "tiny", "seed": 0, "step": 10, "fraction": fraction, "detector": {"name": "tiny"}}
        report = {**factories.make_report(), "run": facts | made}
        return factories.make_evaluation(run=factories.make_run(state="trained", fraction=fraction), report=report)

    whole, half = evaluated(1.0), evaluated(0.5, seed=2, step=5)
    evaluated(0.25, detector={"name": "tiny", "training": {"steps": 3}})
    evaluated(0.1, precision="bf16-mixed")
    assert [each.evaluation for each in selectors.over_shares(whole)] == [half, whole]


def test_the_difference_is_that_of_the_same_draws_of_patients(tmp_path):
    """Reports keep the draws, so that a page of two runs counts nothing anew."""
    rng = np.random.default_rng(3)
    lesions = [(patient, 10, (20.0, 20.0, 40.0, 40.0)) for patient in range(1, 25)]
    write_table(tmp_path / "DL_info.csv", [row(*lesion, split=3) for lesion in lesions])
    truth = truth_of(read_lesions(tmp_path / "DL_info.csv"))
    pairs, evaluations = [], []
    for sure in (0.5, 0.8):
        image = np.repeat(np.arange(24), 4)
        boxes = np.where(rng.random((96, 1)) < sure / 2, [[21.0, 21, 41, 41]], [[1.0, 1, 9, 9]])
        found = Detections(image, boxes, rng.random(96))
        pairs.append((found, match(truth, found, 0.5, "deeplesion")))
        evaluations.append(factories.make_evaluation(report=report(truth, found, repeats=100)))
    expected = bootstrap.paired_difference(truth, *pairs, repeats=100)
    assert selectors.are_comparable(*evaluations)
    assert selectors.paired_difference(*evaluations) == pytest.approx(expected, abs=2e-5)
    assert expected["low"] < expected["difference"] < expected["high"]


def test_reports_without_draws_have_no_band():
    bare = factories.make_evaluation(report={"average_sensitivity": 0.5})
    assert selectors.paired_difference(bare, factories.make_evaluation()) is None
    of_one = [factories.make_evaluation(patients=1, level=level) for level in (0.3, 0.5)]
    assert selectors.paired_difference(*of_one) is None, "all draws of a single patient are alike"
