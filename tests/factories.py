"""One function per table that makes a consistent row, and its parents where none are given."""

from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from itertools import count
from typing import Any

import numpy as np
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from datasets.geometry import hu, recist
from datasets.models import (
    Annotation,
    Collection,
    FollowUp,
    Lesion,
    Patient,
    Proposal,
    Release,
    ReleaseLesion,
    ReleaseManifest,
    ReleasePatient,
    Review,
    Series,
    Slice,
    Split,
    Study,
)
from datasets.storage import slice_storage
from workers import kinds
from workers.models import Job

_next = count(1).__next__


def make_user(role: str = "", **values: Any) -> User:
    """An account, in the group of a role where one is named; without `password` it cannot sign in by itself."""
    user = User.objects.create_user(values.pop("username", f"{role or 'person'}-{_next()}"), **values)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def make_collection(**values: Any) -> Collection:
    n = _next()
    return Collection.objects.create(
        **{"slug": f"hospital-{n}", "title": f"Hospital {n}", "kind": Collection.Kind.HOSPITAL, **values}
    )


def make_patient(**values: Any) -> Patient:
    values.setdefault("collection", None)
    collection = values.pop("collection") or make_collection()
    return Patient.objects.create(collection=collection, **{"number": _next(), "sex": "F", **values})


def make_study(**values: Any) -> Study:
    patient = values.pop("patient", None) or make_patient()
    number = patient.studies.count() + 1
    return Study.objects.create(patient=patient, **{"number": number, "age": 62, **values})


def make_series(**values: Any) -> Series:
    study = values.pop("study", None) or make_study()
    return Series.objects.create(
        study=study,
        **{
            "number": study.series.count() + 1,
            "columns": 512,
            "rows": 512,
            "spacing_x": 0.8,
            "spacing_y": 0.8,
            "slice_interval": 5.0,
            **values,
        },
    )


def make_slice(*, pixels: Any = None, **values: Any) -> Slice:
    """A slice; with `pixels` (rows, columns) in HU its PNG is stored as well."""
    series = values.pop("series", None) or make_series()
    values = {"number": series.slices.count() + 1, "window_low": -175.0, "window_high": 275.0, **values}
    if values.get("stored"):
        values.setdefault("stored_at", timezone.now())
    row = Slice(series=series, **values)
    if pixels is not None:
        store(row, pixels)
    row.save()
    return row


def store(row: Slice, pixels: Any) -> None:
    """Write the PNG of a slice from HU and note it on the row, which is not saved."""
    buffer = BytesIO()
    Image.fromarray(hu.to_png(np.asarray(pixels))).save(buffer, "PNG")
    content = buffer.getvalue()
    slice_storage(row.series.study.patient.collection).save(row.path, ContentFile(content))
    row.stored, row.stored_at = True, timezone.now()
    row.bytes, row.sha256 = len(content), sha256(content).hexdigest()


def lesion_values(
    *,
    centre: tuple[float, float] = (250.0, 250.0),
    long_px: float = 25.0,
    short_px: float = 15.0,
    spacing: float = 0.8,
) -> dict[str, Any]:
    """The columns that follow from two perpendicular axes through a centre."""
    x, y = centre
    points = np.array(
        [[x - long_px / 2, y], [x + long_px / 2, y], [x, y - short_px / 2], [x, y + short_px / 2]], dtype=float
    )
    box = recist.bounding_box(points)
    names = ("x11", "y11", "x12", "y12", "x21", "y21", "x22", "y22")
    return {
        **dict(zip(names, map(float, points.ravel()), strict=True)),
        **dict(zip(("box_x1", "box_y1", "box_x2", "box_y2"), map(float, box), strict=True)),
        "long_px": long_px,
        "short_px": short_px,
        "long_mm": long_px * spacing,
        "short_mm": short_px * spacing,
        "long_um": round(long_px * spacing * 1000),
        "short_um": round(short_px * spacing * 1000),
    }


def make_lesion(
    *,
    centre: tuple[float, float] = (250.0, 250.0),
    long_px: float = 25.0,
    short_px: float = 15.0,
    **values: Any,
) -> Lesion:
    """A lesion whose axes, box and lengths agree; other columns as given."""
    place = values.pop("slice", None) or make_slice()
    return Lesion.objects.create(
        slice=place,
        **{
            **lesion_values(centre=centre, long_px=long_px, short_px=short_px, spacing=place.series.spacing_x),
            "number": place.lesions.count() + 1,
            "type": 5,
            "first_slice": max(1, place.number - 6),
            "last_slice": place.number + 6,
            **values,
        },
    )


def make_follow_up(**values: Any) -> FollowUp:
    patient = values.pop("patient", None) or make_patient()
    return FollowUp.objects.create(patient=patient, **{"number": patient.follow_ups.count() + 1, **values})


def make_annotation(**values: Any) -> Annotation:
    values.setdefault("collection", None)
    collection = values.pop("collection") or make_collection()
    n = _next()
    return Annotation.objects.create(
        collection=collection,
        **{
            "fingerprint": f"fingerprint-{n}",
            "carrier": "SR",
            "tool": Annotation.Tool.BIDIMENSIONAL,
            "modality": "CT",
            "year": 2015,
            "study": f"study-hash-{n}",
            **values,
        },
    )


def make_release(lesions: Any = (), *, published: bool = True, manifest: bool = False, **values: Any) -> Release:
    """A release of some lesions of one collection; `split` is the split of all its patients."""
    lesions = list(lesions)
    split = values.pop("split", Split.TRAIN)
    collection = values.pop("collection", None)
    if collection is None:
        collection = lesions[0].slice.series.study.patient.collection if lesions else make_collection()
    release = Release.objects.create(
        collection=collection, **{"name": f"release-{_next()}", "split_method": "official", **values}
    )
    patients: dict[int, ReleasePatient] = {}
    for lesion in lesions:
        patient = lesion.slice.series.study.patient
        if patient.pk not in patients:
            patients[patient.pk] = ReleasePatient.objects.create(release=release, patient=patient, split=split)
        ReleaseLesion.objects.create(
            release=release, member=patients[patient.pk], lesion=lesion, line=f"{lesion.slice.file_name},line"
        )
    name = Split(split).label
    release.counts = {
        name: {
            "patients": len(patients),
            "studies": len({lesion.slice.series.study_id for lesion in lesions}),
            "series": len({lesion.slice.series_id for lesion in lesions}),
            "slices": len({lesion.slice_id for lesion in lesions}),
            "lesions": len(lesions),
        }
    }
    if published:
        release.state, release.published = Release.State.PUBLISHED, timezone.now()
    release.save()
    if manifest:
        ReleaseManifest.objects.create(release=release, sha256="a" * 64, files=2, bytes=1000)
    return release


def make_review(**values: Any) -> Review:
    """A verdict on a lesion, or on a `proposal`; with `undoes` one that takes another back."""
    undoes, proposal = values.get("undoes"), values.get("proposal")
    if undoes is not None:
        values |= {"lesion": undoes.lesion, "proposal": undoes.proposal, "verdict": Review.Verdict.WITHDRAWN}
    elif proposal is None:
        values.setdefault("lesion", None)
        values["lesion"] = values["lesion"] or make_lesion()
    reviewer = values.pop("reviewer", None) or make_user("curator")
    return Review.objects.create(reviewer=reviewer, **{"verdict": Review.Verdict.KEEP, **values})


def make_proposal(first: Lesion, second: Lesion, **values: Any) -> Proposal:
    """Two lesions proposed as one."""
    ordered = sorted((first, second), key=lambda lesion: lesion.pk)
    given = {"reason": Proposal.Reason.OVERLAP, "value": 0.5, "threshold": 0.4, **values}
    return Proposal.objects.create(first=ordered[0], second=ordered[1], **given)


def make_job(**values: Any) -> Job:
    """A job that has come to its state by the legal way, with the times that belong to it."""
    state, kind = values.pop("state", Job.State.QUEUED), kinds.get(values.pop("kind", "harvest"))
    job = Job.objects.create(kind=kind.name, title=kind.title, queue=kind.queue, attempts_allowed=5, **values)
    return move_job(job, state)


def move_job(job: Job, state: str) -> Job:
    """Bring a job from its state to another by the legal way."""
    claimed = job.state == Job.State.QUEUED and state not in (Job.State.QUEUED, Job.State.CANCELLED)
    for each in dict.fromkeys([Job.State.RUNNING, state] if claimed else [state]):
        if each == job.state:
            continue
        now = timezone.now()
        if each == Job.State.RUNNING:
            job.attempt, job.started = job.attempt + 1, now
        job.state = each
        job.lease_until = now + timedelta(minutes=1) if each in Job.HELD else None
        job.finished = None if each in Job.UNFINISHED else now
        job.save()
    return job


def make_hospital(patients: int = 20, **values: object) -> Collection:
    """A hospital with one lesion per patient, each on the middle one of five stored slices."""
    collection = make_collection()
    for number in range(1, patients + 1):
        patient = make_patient(collection=collection, number=number, **values)
        series = make_series(study=make_study(patient=patient))
        images = [make_slice(series=series, number=place, stored=True, bytes=9) for place in range(1, 6)]
        make_lesion(slice=images[2], type=number % 8 + 1, first_slice=2, last_slice=4)
    return collection
