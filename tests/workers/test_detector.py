"""A detector's jobs on a published release: trained beside the worker, resumed, evaluated, kept as rows."""

import hashlib
import json
import shutil
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from datasets.models import Release
from datasets.services.import_deeplesion import import_deeplesion
from deeplesion_site.upkeep import check_files
from detection.data.release import open_release
from detection.evaluation.tables import write_detections
from detection.models import Detection, Evaluation, TrainingRun
from tests import factories_detection as factories
from tests.datasets.tables import draw, row, write
from workers import engine, evaluating, exported, programs, tasks, training
from workers.engine import lease
from workers.errors import Cancelled, LeaseLost
from workers.models import Job, Worker

State = TrainingRun.State

FEW = {"preset": "tiny", "epochs": 1, "batch": 2}


@pytest.fixture
def released(db, settings, tmp_path):
    """Five patients of 64 x 64 pixels: three for training, one for validation, one for testing."""
    settings.DATA_DIR = tmp_path / "data"
    images = tmp_path / "Images_png"
    rows = [row(number, split=split) for number, split in enumerate((1, 1, 1, 2, 3), start=1)]
    for each in rows:
        for number in (8, 9, 10, 11, 12):
            draw(images, each.folder, number, seed=each.patient)
    import_deeplesion(write(tmp_path / "in.csv", rows), images=images, copy=True, release="r-1")
    return Release.objects.get()


def work(job):
    """Let a worker do a job and the one that follows from it."""
    tasks.perform(job_id=job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.slow
def test_a_worker_trains_then_evaluates_and_the_second_time_nothing_is_done(released, settings):
    run = training.request({"release": "r-1", **FEW})
    job = work(engine.enqueue(kind="train", params={"release": "r-1", **FEW}))
    assert job.state == Job.State.SUCCEEDED, job.message
    run.refresh_from_db()
    folder = settings.DATA_DIR / run.folder
    assert (run.state, run.step, run.steps, run.weights) == (State.TRAINED, 2, 2, "random")
    checkpoint = settings.DATA_DIR / run.checkpoint
    assert run.hashes["checkpoint.pt"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert set(run.hashes) == set(training.KEPT)
    assert run.release_sha256 == released.manifest.sha256
    assert run.curve["train"]["step"] == [1, 2]
    assert (run.seconds > 0, bool(run.device), bool(run.torch_version)) == (True, True, True)
    assert not (folder / "cache").exists(), "decoded slices are needed for training alone"
    assert run.evaluations.get().state == Evaluation.State.QUEUED
    following = work(Job.objects.get(kind="evaluate"))
    assert following.state == Job.State.SUCCEEDED, following.message
    evaluation = run.evaluations.get()
    assert (evaluation.state, evaluation.images, evaluation.lesions) == (Evaluation.State.DONE, 1, 1)
    lines = (settings.DATA_DIR / evaluation.folder / "detections.csv").read_text().splitlines()
    assert len(lines) - 1 == evaluation.found == Detection.objects.filter(evaluation=evaluation).count()
    assert json.loads((settings.DATA_DIR / evaluation.folder / "report.json").read_text()) == evaluation.report
    before = (folder / "checkpoint.pt").stat().st_mtime_ns
    out = StringIO()
    call_command("train", "r-1", wait=True, stdout=out, **FEW)
    assert out.getvalue() == f"Run {run.pk} was trained with these very parameters; see /runs/{run.pk}/\n"
    assert (folder / "checkpoint.pt").stat().st_mtime_ns == before
    rescored(run, evaluation)


def rescored(run, evaluation):
    """Another way of scoring takes the detections that are there, unless they are not what was found."""
    out = StringIO()
    call_command("evaluate", run.pk, convention="strict", wait=True, stdout=out)
    other = run.evaluations.get(convention="strict")
    assert (other.state, other.found) == (Evaluation.State.DONE, evaluation.found)
    assert f"Run {run.pk}, test split at IoU 0.5: sensitivity" in out.getvalue()
    assert not Job.objects.latest("id").events.filter(kind="log").exists()
    folder = Path(django_settings.DATA_DIR)
    assert list(check_files.results()) == [], "every file is as its row says"
    with (folder / evaluation.folder / "detections.csv").open("a") as file:
        file.write("cut off")
    (folder / other.folder / "detections.csv").write_text("File_name,x1,y1,x2,y2,score\n")
    call_command("evaluate", run.pk, iou=0.3, wait=True, stdout=out)
    third = run.evaluations.get(iou=0.3)
    assert (third.state, third.found) == (Evaluation.State.DONE, evaluation.found), "found anew"
    said = Job.objects.latest("id").events.filter(kind="log").values_list("text", flat=True)
    assert list(said) == [
        f"detections.csv of evaluation {each.pk} is damaged: it is not taken over" for each in (evaluation, other)
    ]


@pytest.mark.slow
def test_a_training_that_is_stopped_goes_on_from_its_checkpoint(released, settings):
    params = {"release": "r-1", **FEW, "epochs": 3}
    run = training.request(params)
    checkpoint = settings.DATA_DIR / run.folder / "checkpoint.pt"

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        if checkpoint.is_file():
            raise Cancelled

    with pytest.raises(Cancelled):
        training.train(params, cancel)
    run.refresh_from_db()
    assert (run.state, run.message) == (
        State.STOPPED,
        "It was stopped; started again, it goes on from its newest checkpoint.",
    )
    spent = run.seconds
    assert training.train(params, lambda done, total: None)["run"] == run.pk
    run.refresh_from_db()
    log = (settings.DATA_DIR / run.folder / programs.LOG).read_text()
    assert (run.state, run.step, run.message) == (State.TRAINED, 6, "")
    assert run.seconds > spent
    assert run.curve["train"]["step"] == list(range(1, 7)), log


def test_what_the_training_program_says_is_the_run_s_reason(released, settings):
    exported.exported("r-1", lambda done, total: None)
    shutil.rmtree(settings.DATA_DIR / "exports/r-1/Images_png/000001_01_01")
    with pytest.raises(programs.ProgramEnded, match=r"r-1 lacks the image 000001_01_01_010\.png"):
        training.train({"release": "r-1", **FEW}, lambda done, total: None)
    run = TrainingRun.objects.get()
    assert (run.state, run.message) == (
        State.FAILED,
        "r-1 lacks the image 000001_01_01_010.png; complete the release",
    )


def test_what_one_of_several_processes_says_is_the_run_s_reason(released, settings, monkeypatch):
    """Two processes of torchrun, which on a computer with GPUs would be one for each."""
    monkeypatch.setattr(training, "gpus_for", lambda batch, count: 2)
    folder = exported.exported("r-1", lambda done, total: None)
    image = folder / "Images_png/000001_01_01/010.png"
    image.unlink()
    image.write_bytes(b"noise")
    log = []
    with pytest.raises(programs.ProgramEnded, match=r"^000001_01_01/010\.png cannot be decoded; copy it again$"):
        training.train({"release": "r-1", **FEW}, lambda done, total: None, log=log.append)
    assert "ChildFailedError" in log[0], "the whole of what was said is kept"


def test_a_missing_image_is_told_before_anything_is_trained(released, settings):
    next((settings.DATA_DIR / "slices").rglob("010.png")).unlink()
    job = work(engine.enqueue(kind="train", params={"release": "r-1", **FEW}))
    run = TrainingRun.objects.get()
    assert (job.state, run.state) == (Job.State.FAILED, State.FAILED)
    assert run.message == job.message
    assert "010.png cannot be read: No such file or directory" in run.message
    assert not Job.objects.filter(kind="evaluate").exists()


@pytest.mark.parametrize(
    ("command", "arguments", "options", "sentence"),
    [
        ("train", ("nowhere",), {}, "there is no release nowhere"),
        ("train", ("r-1",), {"preset": "big"}, "there is no preset big; choose one of paper, context, tiny"),
        ("train", ("r-1",), {"preset": "tiny", "fraction": 2.0}, "a share of 2 of the training patients is not"),
        ("evaluate", (99,), {}, "there is no run 99"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(released, command, arguments, options, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command(command, *arguments, **options)
    assert not Job.objects.exists()
    assert not TrainingRun.objects.exists()


def test_a_draft_trains_nothing(released):
    call_command("release", "create", "next-1.0", collection=released.collection.slug, draft=True, stdout=StringIO())
    with pytest.raises(CommandError, match=r"next-1\.0 is a draft; publish it first"):
        call_command("train", "next-1.0", preset="tiny")


def test_without_wait_the_commands_queue_one_job(released):
    out = StringIO()
    for _ in range(2):
        call_command("train", "r-1", stdout=out, **FEW)
    job = Job.objects.get()
    assert (job.kind, job.state) == ("train", Job.State.QUEUED)
    run = TrainingRun.objects.get()
    waits = f"Run {run.pk} waits for a worker (job {job.pk}); see /runs/{run.pk}/"
    nobody = "No worker serves the queue gpu now: start one, or add --wait to do it here."
    assert out.getvalue().splitlines() == [waits, nobody] * 2
    with pytest.raises(CommandError, match=f"run {run.pk} is queued; it can be evaluated once it is trained"):
        call_command("evaluate", run.pk)


@pytest.mark.parametrize("queues", [["io", "cpu"], ["gpu"]])
def test_the_command_says_where_no_worker_serves_the_queue(db, queues):
    Worker.objects.create(name="a:1", queues=queues)
    out = StringIO()
    call_command("evaluate", factories.make_run(state="trained").pk, stdout=out)
    assert out.getvalue().startswith("The evaluation waits for a worker (job ")
    assert ("No worker serves the queue gpu" in out.getvalue()) == ("gpu" not in queues)


def test_two_processes_do_not_train_the_same_run(released, settings):
    run = training.request({"release": "r-1", **FEW})
    folder = settings.DATA_DIR / run.folder
    with exported.alone_in(folder / ".lock"), pytest.raises(exported.InUse, match="is at this already"):
        training.train({"release": "r-1", **FEW}, lambda done, total: None)
    run.refresh_from_db()
    assert run.state == State.QUEUED


def refuse(execute, sql, params, many, context):
    raise OperationalError("database is locked")


@pytest.mark.django_db(transaction=True)
def test_a_training_goes_on_although_what_is_told_of_it_cannot_be_written(released, monkeypatch):
    def program(command, *, folder, tick, log):
        with connection.execute_wrapper(refuse):
            tick({"step": 1, "steps": 2})

    monkeypatch.setattr(programs, "run", program)
    training.train({"release": "r-1", **FEW}, lambda done, total: None)
    assert TrainingRun.objects.get().state == State.TRAINED


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_goes_on_although_what_is_told_of_it_cannot_be_written():
    run = factories.make_run(state="trained")
    evaluation = Evaluation.objects.create(run=run, state="running", started=run.started)
    with connection.execute_wrapper(refuse):
        evaluating._tell(evaluation, lambda done, total: None, transaction.atomic, {"done": 1, "total": 2})
    evaluating._tell(evaluation, lambda done, total: None, transaction.atomic, {"done": 1, "total": 2})
    evaluation.refresh_from_db()
    assert (evaluation.done, evaluation.total) == (1, 2), "it is told the next time"


def lose(claim):
    """Let the lease run out, as if the worker had been paused for long."""
    Job.objects.filter(pk=claim.job_id).update(lease_until=lease.after(-timedelta(seconds=1)))


def test_a_worker_that_lost_a_training_leaves_its_run_alone(released):
    params = {"release": "r-1", **FEW}
    run = training.request(params)
    TrainingRun.objects.update(state=State.FAILED, started=run.created, finished=run.created, message="the disk")
    claim = lease.claim(engine.enqueue(kind="train", params=params).pk, "a:1")
    lose(claim)
    with pytest.raises(LeaseLost):
        training.train(params, lambda done, total: None, fence=partial(lease.fence, claim))
    run.refresh_from_db()
    assert (run.state, run.message) == (State.FAILED, "the disk")


def test_a_worker_that_lost_an_evaluation_leaves_its_rows_alone(released, settings, monkeypatch):
    folder = exported.exported("r-1", lambda done, total: None)
    run = factories.make_run(state="trained", release="r-1", release_sha256=open_release(folder).sha256)
    done = factories.make_evaluation(run=run, convention="strict")
    claim = lease.claim(engine.enqueue(kind="evaluate", params={"run": run.pk}).pk, "a:1")
    mine = evaluating.request({"run": run.pk})
    factories.make_detections(mine)
    before = (mine.targets.count(), mine.detections.count())
    found = settings.DATA_DIR / done.folder / evaluating.DETECTIONS
    found.parent.mkdir(parents=True)
    write_detections(found, [("000005_01_01_010.png", np.empty((0, 5)))])

    def score(command, *, folder, **_):
        (folder / evaluating.SCORED).write_text("{}")
        lose(claim)

    monkeypatch.setattr(programs, "run", score)
    fences = {name: partial(getattr(lease, name), claim) for name in ("fence", "closing")}
    with pytest.raises(LeaseLost):
        evaluating.evaluate({"run": run.pk}, lambda done, total: None, **fences)
    mine.refresh_from_db()
    assert (mine.state, mine.targets.count(), mine.detections.count()) == (Evaluation.State.RUNNING, *before)


def test_who_waits_for_an_export_can_be_cancelled(released, settings):
    lock = settings.DATA_DIR / "exports" / ".r-1.lock"

    def cancel(done, total):
        raise Cancelled

    with exported.alone_in(lock), pytest.raises(Cancelled):
        exported.exported("r-1", cancel)
    assert exported.exported("r-1", lambda done, total: None).is_dir()


def test_another_release_under_the_same_name_is_not_evaluated(released, settings):
    run = training.request({"release": "r-1", **FEW})
    TrainingRun.objects.filter(pk=run.pk).update(
        state=State.TRAINED, started=run.created, finished=run.created, release_sha256="0" * 64, checkpoint="x"
    )
    with pytest.raises(Exception, match=f"run {run.pk} was trained on another r-1"):
        evaluating.evaluate({"run": run.pk}, lambda done, total: None)
    assert run.evaluations.get().message.startswith(f"run {run.pk} was trained on another r-1")
