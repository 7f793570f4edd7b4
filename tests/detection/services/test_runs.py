"""Runs: one per set of parameters, and only states that make sense."""

import pytest
from django.db import IntegrityError, transaction

from detection.errors import BadRun
from detection.models import TrainingRun
from detection.presets import PRESETS
from detection.services import runs
from tests import factories_detection as factories

pytestmark = pytest.mark.django_db

State = TrainingRun.State


def begun(**values):
    run = runs.run_request(release="r-1", preset="tiny", **values)
    runs.run_begin(run, device="CPU", code_version="1", torch_version="2")
    run.refresh_from_db()
    return run


def test_the_same_parameters_are_the_same_run():
    first = runs.run_request(release="r-1", preset="tiny", options={"epochs": 2, "flip": False})
    assert runs.run_request(release="r-1", preset="tiny", options={"epochs": 2}, weights="random") == first
    others = [
        runs.run_request(release="r-2", preset="tiny", options={"epochs": 2}),
        runs.run_request(release="r-1", preset="paper", options={"epochs": 2}),
        runs.run_request(release="r-1", preset="tiny", options={"epochs": 2}, seed=1),
        runs.run_request(release="r-1", preset="tiny", options={"epochs": 2}, fraction=0.5),
        runs.run_request(release="r-1", preset="tiny", options={"epochs": 3}),
    ]
    assert len({first, *others}) == 6
    still = runs.run_request(release="r-1", preset="tiny", options={"scale": 0.0, "z_jitter": 0.0})
    assert still.options == {"scale": 0.0}, "the preset zooms, and jitters not"
    assert runs.run_request(release="r-1", preset="paper", options={"scale": 0.0}).options == {}
    assert (first.state, first.start_weights, others[1].start_weights) == (State.QUEUED, "random", "imagenet")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"preset": "big"}, "there is no preset big; choose one of paper, context, tiny"),
        ({"fraction": 0}, "a share of 0 of the training patients is not above 0 and at most 1"),
        ({"seed": -1}, "the seed -1 is not a whole number from 0 to 2147483647"),
        ({"weights": "/etc/passwd"}, "weights are imagenet or random, not /etc/passwd"),
        ({"options": {"depth": 3}}, "training knows no option depth"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong, sentence):
    with pytest.raises(BadRun, match=f"^{sentence}$"):
        runs.run_request(**{"release": "r-1", "preset": "tiny", **wrong})
    assert not TrainingRun.objects.exists()


def test_a_run_goes_from_queued_over_training_to_trained():
    run = begun()
    curve = {"train": {"step": [5], "loss": [0.5]}, "val": {"step": [], "loss": []}}
    runs.run_progress(run, step=5, steps=20, seconds_left=12.5, curve=curve)
    run.refresh_from_db()
    assert (run.percent, run.seconds_left, run.curve, run.is_unfinished) == (25, 12.5, curve, True)
    facts = {"release_sha256": "a" * 64, "weights": "random", "checkpoint": "runs/1/checkpoint.pt"}
    done = runs.run_end(run, state=State.TRAINED, seconds=30.0, **facts)
    assert (done.state, done.percent, done.seconds, done.is_unfinished) == (State.TRAINED, 100, 30.0, False)
    runs.run_requeue(done)
    runs.run_begin(done, device="GPU", code_version="2", torch_version="3")
    done.refresh_from_db()
    assert (done.state, done.device) == (State.TRAINED, "CPU"), "what is trained stays as it is"


def test_a_run_that_failed_waits_again_and_adds_up_its_time():
    run = begun()
    runs.run_end(run, state=State.FAILED, seconds=10, message="r-1 lacks an image")
    run.refresh_from_db()
    assert (run.state, run.message) == (State.FAILED, "r-1 lacks an image")
    runs.run_requeue(run)
    again = begun()
    assert (again.pk, again.message, again.finished, again.started) == (run.pk, "", None, run.started)
    assert runs.run_end(again, state=State.STOPPED, seconds=5).seconds == 15


def test_nobody_ends_a_run_that_is_not_being_trained():
    run = runs.run_request(release="r-1", preset="tiny")
    assert runs.run_end(run, state=State.FAILED, seconds=1, message="late").state == State.QUEUED


@pytest.mark.parametrize(
    "values",
    [
        {"preset": "big"},
        {"fraction": 0.0},
        {"fraction": 1.5},
        {"state": "trained", "checkpoint": ""},
        {"state": "training"},
        {"step": 5, "steps": 4},
        {"fingerprint": "same"},
    ],
)
def test_the_database_refuses_what_cannot_be(values):
    factories.make_run(fingerprint="same")
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingRun.objects.create(**{"release": "r", "preset": "tiny", "fingerprint": "other", **values})


def test_the_presets_are_those_of_the_detector():
    assert set(TrainingRun.Preset.values) == set(PRESETS)
