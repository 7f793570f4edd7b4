"""Evaluations become rows: each lesion with the score that hits it, each detection with what it was."""

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from detection.data.table import read_lesions
from detection.errors import BadRun, BadTable
from detection.evaluation.report import report
from detection.evaluation.tables import read_detections, read_truth, truth_of, write_detections
from detection.models import Detection, Evaluation, Target
from detection.services import evaluations
from tests import factories_detection as factories
from tests.detection.releases import REAL, needs_real, row, write_table

pytestmark = pytest.mark.django_db

Outcome = Detection.Outcome
BOX = (20.0, 20.0, 40.0, 40.0)
FAR = (1.0, 1.0, 9.0, 9.0)


@pytest.fixture
def files(tmp_path):
    """Two images: a lesion that is hit twice and beside it one that is missed; a lesion hit by an unsure detection."""
    rows = [
        row(1, 10, BOX, split=3),
        row(1, 10, (45.0, 45.0, 60.0, 60.0), split=3, type=4),
        row(2, 10, BOX, split=3),
    ]
    write_table(tmp_path / "DL_info.csv", rows)
    found = {
        "000001_01_01_010.png": [(*BOX, 0.9), (21.0, 21.0, 41.0, 41.0, 0.8), (*FAR, 0.7)],
        "000002_01_01_010.png": [(*BOX, 0.3)],
    }
    detections = tmp_path / "detections.csv"
    write_detections(detections, [(name, np.add(boxes, (1, 1, 1, 1, 0))) for name, boxes in found.items()])
    return tmp_path


def recorded(folder, **asked):
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"), **asked)
    evaluations.evaluation_begin(evaluation)
    return record(evaluation, folder)


def record(evaluation, folder, **more):
    lesions = read_lesions(folder / "DL_info.csv")
    truth = truth_of(lesions)
    content = report(truth, read_detections(folder / "detections.csv", truth), repeats=5)
    evaluations.evaluation_record(
        evaluation, lesions=lesions, detections=folder / "detections.csv", report=content, seconds=2.0, **more
    )
    evaluation.refresh_from_db()
    return evaluation


def test_lesions_know_the_score_that_hits_them_and_detections_what_they_were(files):
    evaluation = recorded(files)
    assert list(Target.objects.values_list("file_name", "number", "type", "score", "x1")) == [
        ("000001_01_01_010.png", 1, 5, 0.9, 20),
        ("000001_01_01_010.png", 2, 4, None, 45),
        ("000002_01_01_010.png", 1, 5, 0.3, 20),
    ]
    assert [(d.score, d.outcome, str(d.target or "")) for d in Detection.objects.order_by("-score")] == [
        (0.9, Outcome.HIT, "000001_01_01_010.png #1"),
        (0.8, Outcome.AGAIN, "000001_01_01_010.png #1"),
        (0.7, Outcome.FALSE_POSITIVE, ""),
        (0.3, Outcome.HIT, "000002_01_01_010.png #1"),
    ]
    assert (evaluation.state, evaluation.images, evaluation.lesions, evaluation.found) == ("done", 2, 3, 4)
    assert evaluation.average_sensitivity == pytest.approx(evaluation.report["average_sensitivity"])
    assert evaluation.average_low <= evaluation.average_sensitivity <= evaluation.average_high


def test_rows_say_the_same_as_the_curve_in_both_conventions(files):
    for convention in ("deeplesion", "strict"):
        evaluation = recorded(files, convention=convention)
        wrong = evaluation.detections.filter(outcome=Outcome.FALSE_POSITIVE).count()
        assert wrong == {"deeplesion": 1, "strict": 2}[convention]
        assert evaluation.targets.filter(score__isnull=False).count() == 2


def test_an_attempt_that_was_cut_off_leaves_nothing_behind(files):
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"))
    evaluations.evaluation_begin(evaluation)
    factories.make_detections(evaluation)
    record(evaluation, files)
    assert (evaluation.targets.count(), evaluation.detections.count()) == (3, 4)


@pytest.mark.parametrize(("lost_at", "left"), [(0, None), (1, (0, 0)), (2, (3, 0)), (3, (3, 4))])
def test_who_has_lost_the_job_writes_no_more_of_it(files, lost_at, left):
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"))
    evaluations.evaluation_begin(evaluation)
    factories.make_detections(evaluation)
    before = (evaluation.targets.count(), evaluation.detections.count())
    entered = []

    class Lost(Exception):
        pass

    def fence():
        entered.append(1)
        if len(entered) > lost_at:
            raise Lost
        return transaction.atomic()

    with pytest.raises(Lost):
        record(evaluation, files, fence=fence)
    evaluation.refresh_from_db()
    assert evaluation.state == "running"
    assert (evaluation.targets.count(), evaluation.detections.count()) == (left or before)


def test_detections_of_other_images_leave_it_without_a_result(files):
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"))
    evaluations.evaluation_begin(evaluation)
    write_table(files / "DL_info.csv", [row(7, 10, BOX, split=3)])
    with pytest.raises(BadTable):
        record(evaluation, files)
    evaluations.evaluation_fail(evaluation, message="no detection in any of the images")
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.average_sensitivity) == ("failed", None)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"split": "final"}, "there is no split final; choose one of train, val, test, all"),
        ({"convention": "coco"}, "there is no convention coco; choose deeplesion or strict"),
        ({"iou": 0}, "an overlap of 0 is not above 0 and at most 1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong, sentence):
    with pytest.raises(BadRun, match=f"^{sentence}$"):
        evaluations.evaluation_request(run=factories.make_run(), **wrong)


def test_a_run_is_evaluated_once_in_each_way():
    run = factories.make_run()
    first = evaluations.evaluation_request(run=run)
    assert evaluations.evaluation_request(run=run) == first
    assert evaluations.evaluation_request(run=run, iou=0.3) != first


@pytest.mark.parametrize("values", [{"iou": 0.0}, {"split": "final"}, {"state": "done"}, {}])
def test_the_database_refuses_what_cannot_be(values):
    existing = evaluations.evaluation_request(run=factories.make_run())
    with pytest.raises(IntegrityError), transaction.atomic():
        Evaluation.objects.create(run=existing.run, **{"split": "test", **values})


def test_a_hit_names_its_lesion_and_a_false_positive_none():
    evaluation = factories.make_evaluation()
    values = {"evaluation": evaluation, "file_name": "a", "overlap": 0, "score": 1, "x1": 0, "y1": 0, "x2": 1, "y2": 1}
    with pytest.raises(IntegrityError), transaction.atomic():
        Detection.objects.create(**values, outcome=Outcome.HIT)
    with pytest.raises(IntegrityError), transaction.atomic():
        Detection.objects.create(**values, outcome=Outcome.FALSE_POSITIVE, target=evaluation.targets.first())


@needs_real
def test_the_official_test_split_is_known_by_its_lesions():
    from detection import selectors

    assert evaluations.fingerprint(read_truth(REAL / "DL_info.csv", "test")) == selectors.OFFICIAL_TEST
