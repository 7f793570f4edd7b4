"""A training run from the wish to the checkpoint. Who trains tells us; nobody else writes its row."""

import hashlib
import json
from typing import Any, Required, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from detection.errors import BadRun
from detection.models import TrainingRun
from detection.presets import PRESETS

State = TrainingRun.State

OPTIONS = ("backbone", "batch", "epochs", "learning_rate", "precision", "spacing", "flip", "scale", "z_jitter",
           "ignore_unannotated")  # fmt: skip
"""What may be asked for beyond the preset, by the names of `python -m detection.train`."""


class RunParameters(TypedDict, total=False):
    """What decides a run.

    Attributes
    ----------
    release : name of a published release.
    fraction : share of the training patients.
    weights : `imagenet` or `random`; what suits the preset's backbone unless given.
    options : of `OPTIONS`, those that differ from the preset.
    """

    release: Required[str]
    preset: Required[str]
    seed: int
    fraction: float
    weights: str
    options: dict[str, Any]


def run_request(**parameters: Unpack[RunParameters]) -> TrainingRun:
    """Give the run of these parameters: the one there is, or a new one that waits to be trained.

    Raises
    ------
    BadRun : there is no such preset or option, or a value makes no sense.
    """
    asked = _asked(**parameters)
    made, _ = TrainingRun.objects.get_or_create(fingerprint=_digest(asked), defaults=asked)
    return made


def run_known(**parameters: Unpack[RunParameters]) -> TrainingRun | None:
    """The run of these parameters; None where there is none.

    Raises
    ------
    BadRun : as `run_request`.
    """
    return TrainingRun.objects.filter(fingerprint=_digest(_asked(**parameters))).first()


def _asked(
    *,
    release: str,
    preset: str,
    seed: int = 0,
    fraction: float = 1.0,
    weights: str = "",
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """All that decides the result of a run."""
    if preset not in PRESETS:
        raise BadRun(f"there is no preset {preset}; choose one of {', '.join(PRESETS)}")
    if not 0 < fraction <= 1:
        raise BadRun(f"a share of {fraction:g} of the training patients is not above 0 and at most 1")
    if not 0 <= seed < 2**31:
        raise BadRun(f"the seed {seed} is not a whole number from 0 to {2**31 - 1}")
    if weights not in ("", "imagenet", "random"):
        raise BadRun(f"weights are imagenet or random, not {weights}")
    chosen = chosen_options(preset, options or {})
    unknown = sorted(set(chosen) - set(OPTIONS))
    if unknown:
        raise BadRun(f"training knows no option {', '.join(unknown)}")
    backbone = chosen.get("backbone", PRESETS[preset].network.backbone)
    return {
        "release": release,
        "preset": preset,
        "seed": seed,
        "fraction": fraction,
        "start_weights": weights or ("random" if backbone == "narrow" else "imagenet"),
        "options": chosen,
    }


def _digest(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def chosen_options(preset: str, options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that change something about a preset, by their names.

    None, no and 0 leave it as it is, but for no zoom at all where the preset zooms.
    """
    zooms = PRESETS[preset].augmentation.scale > 0
    still = {"scale"} if zooms and options.get("scale") is not None else set()
    return {name: value for name, value in sorted(options.items()) if value or name in still}


def run_requeue(run: TrainingRun) -> None:
    """Let a run that failed, was stopped or cancelled wait for its next attempt."""
    TrainingRun.objects.filter(pk=run.pk, state__in=(State.FAILED, State.STOPPED, State.CANCELLED)).update(
        state=State.QUEUED, message="", finished=None, seconds_left=None
    )


def run_begin(run: TrainingRun, *, device: str, code_version: str, torch_version: str) -> None:
    """Somebody trains it now; also after an attempt that nobody could end."""
    TrainingRun.objects.filter(pk=run.pk).exclude(state=State.TRAINED).update(
        state=State.TRAINING,
        message="",
        started=run.started or timezone.now(),
        finished=None,
        device=device,
        code_version=code_version,
        torch_version=torch_version,
    )


def run_progress(
    run: TrainingRun, *, step: int, steps: int, seconds_left: float | None, curve: dict[str, Any]
) -> None:
    """How far it is."""
    TrainingRun.objects.filter(pk=run.pk, state=State.TRAINING).update(
        step=min(step, steps), steps=steps, seconds_left=seconds_left, curve=curve
    )


def run_abandon(run: TrainingRun, *, failed: bool, message: str) -> None:
    """Nobody trains it, and nobody is going to unless asked anew; one that had begun has ended in this moment.

    Parameters
    ----------
    failed : no wish of somebody, who stopped it, or cancelled it before it began.
    """
    state = State.FAILED if failed else State.STOPPED if run.started else State.CANCELLED
    TrainingRun.objects.filter(pk=run.pk, state__in=(State.QUEUED, State.TRAINING)).update(
        state=state, message=message[:500], finished=timezone.now(), seconds_left=None
    )


@transaction.atomic
def run_end(
    run: TrainingRun, *, state: TrainingRun.State, seconds: float, message: str = "", **facts: Any
) -> TrainingRun:
    """Nobody trains it any more.

    Parameters
    ----------
    state : TRAINED with `release_sha256`, `weights` and `checkpoint` among the facts; STOPPED or FAILED with the
        reason in `message`.
    seconds : spent in this attempt.
    """
    kept = TrainingRun.objects.select_for_update().get(pk=run.pk)
    if kept.state != State.TRAINING:
        return kept
    kept.state, kept.message, kept.seconds_left = state, message[:500], None
    kept.seconds += seconds
    kept.finished = timezone.now()
    for name, value in facts.items():
        setattr(kept, name, value)
    if state == State.TRAINED:
        kept.step = kept.steps
    kept.full_clean()
    kept.save()
    return kept
