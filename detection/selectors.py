"""Read queries over runs, evaluations and detections."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db.models import F, Prefetch, Q, QuerySet

from detection.evaluation import bootstrap
from detection.evaluation.alike import made_alike
from detection.models import Detection, Evaluation, Target, TrainingRun

OFFICIAL_TEST = "f033c5af5b651186e2f666c85f54d6b8685e06fba9721d944a8da6f413944d78"
"""Fingerprint of the official test split of DeepLesion without its noisy lesions."""

SURE = 0.5
"""Detections of higher scores are shown in pictures, as in the paper."""


@dataclass(slots=True)
class Picture:
    """One image of an evaluation, with what lies on it."""

    file_name: str
    targets: list[Target] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)
    """Sure ones alone, surest first."""


@dataclass(frozen=True, slots=True)
class Share:
    """What was reached with a share of the training patients."""

    evaluation: Evaluation
    """Without its report."""
    bands: dict[str, list[float]]
    """Ends of the sensitivity's 95% bands by false positives per image; empty where the report has none."""
    curve: dict[str, list[float]]
    """What the report draws."""


def runs() -> QuerySet[TrainingRun]:
    """Runs, newest first, with their evaluations; what only figures need stays in the database."""
    return TrainingRun.objects.defer("curve").prefetch_related(Prefetch("evaluations", queryset=evaluations()))


def evaluations() -> QuerySet[Evaluation]:
    """Evaluations, newest first, without their reports."""
    return Evaluation.objects.defer("report").order_by("-id")


def run(pk: int) -> TrainingRun | None:
    """One run, whole, with its evaluations."""
    return TrainingRun.objects.prefetch_related(Prefetch("evaluations", queryset=evaluations())).filter(pk=pk).first()


def evaluation(pk: int) -> Evaluation | None:
    """One evaluation with its report and its run."""
    return Evaluation.objects.select_related("run").filter(pk=pk).first()


def newest_run() -> TrainingRun | None:
    """The latest run with its evaluations."""
    return runs().order_by("-id").first()


def is_official_test(found: Evaluation) -> bool:
    """Whether it looked for the lesions that the published figures are about."""
    return found.truth_sha256 == OFFICIAL_TEST


def over_shares(found: Evaluation) -> list[Share]:
    """The newest finished evaluation per share of the training patients, of detectors otherwise made the same way."""
    like = found.run
    rows = (
        evaluations()
        .filter(
            state=Evaluation.State.DONE,
            truth_sha256=found.truth_sha256,
            convention=found.convention,
            iou=found.iou,
            checkpoint=found.checkpoint,
            run__release=like.release,
            run__preset=like.preset,
            run__weights=like.weights,
            run__options=like.options,
        )
        .select_related("run")
        .annotate(bands=F("report__bands__sensitivity"), drawn=F("report__curve"), made=F("report__run"))
        .order_by("run__fraction", "id")
    )
    # A preset may have changed since, or a precision been chosen for another machine, which rows do not tell.
    alike = [
        row for row in rows.defer("report", "run__curve") if made_alike(row.made or {}, found.report.get("run", {}))
    ]
    newest = {row.run.fraction: row for row in alike}
    return [Share(row, row.bands or {}, row.drawn or {}) for row in newest.values()]


def drawn_at_random(found: Evaluation, count: int, seed: int) -> list[str]:
    """File names of some of its images; the same for the same seed."""
    rows = Target.objects.filter(evaluation=found, number=1).order_by("id").values_list("file_name", flat=True)
    names = list(rows)
    places = np.random.default_rng(seed).permutation(len(names))[:count]
    return [names[place] for place in places.tolist()]


def worst_misses(found: Evaluation, count: int) -> list[str]:
    """File names of images with a lesion that was never hit, or hit by unsure detections alone; never hit first."""
    missed = Target.objects.filter(Q(score__isnull=True) | Q(score__lte=SURE), evaluation=found)
    # The largest first among those never hit: to miss them is worst.
    rows = missed.order_by(F("score").asc(nulls_first=True), "-size_mm", "id").values_list("file_name", flat=True)
    return list(dict.fromkeys(rows[: 3 * count]))[:count]


def pictures(found: Evaluation, names: Sequence[str]) -> list[Picture]:
    """Images in the order of their names as given, with lesions and sure detections: two queries."""
    made = {name: Picture(name) for name in names}
    on_them = {"evaluation": found, "file_name__in": names}
    for target in Target.objects.filter(**on_them).order_by("number"):
        made[target.file_name].targets.append(target)
    for detection in Detection.objects.filter(**on_them, score__gt=SURE).order_by("-score", "id"):
        made[detection.file_name].detections.append(detection)
    return list(made.values())


def are_comparable(first: Evaluation, second: Evaluation) -> bool:
    """Whether both looked for the same lesions and were scored alike."""
    return all(
        getattr(first, name) == getattr(second, name) for name in ("truth_sha256", "convention", "iou", "state")
    )


def paired_difference(first: Evaluation, second: Evaluation) -> dict[str, float] | None:
    """Difference in average sensitivity (second - first) with its 95% band over patients, from their reports.

    Both must be comparable; see `detection.evaluation.bootstrap.difference`. None where a report lacks its draws, or
    they are of a single patient and so all alike.
    """
    if first.patients == 1:
        return None
    drawn = [each.report.get("bootstrap", {}) for each in (first, second)]
    averages = [np.array(each.get("average_sensitivity", ()), dtype=np.float64) for each in drawn]
    if not len(averages[0]) or len(averages[0]) != len(averages[1]) or drawn[0]["seed"] != drawn[1]["seed"]:
        return None
    whole = second.report["average_sensitivity"] - first.report["average_sensitivity"]
    return bootstrap.difference(whole, *averages)
