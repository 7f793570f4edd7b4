"""A job's parameters in words, and what it produced as links."""

from typing import Any

from django.urls import reverse

from deeplesion_site.dashboard import job_selectors as selectors
from workers.models import Job

LABELS = {
    "accession_numbers": "Accession numbers",
    "annotations": "Annotations in",
    "batch": "Images per step",
    "checkpoint": "Checkpoint",
    "collection": "Collection",
    "copy": "Copy the images",
    "context": "Kept on each side of a lesion",
    "convention": "Convention",
    "documents": "Files with annotations",
    "download": "Download",
    "first_date": "From",
    "flip": "Mirror left and right",
    "dry_run": "Dry run",
    "fraction": "Share of the training patients",
    "ignore_unannotated": "Unannotated lesions ignored",
    "images": "Images",
    "iou": "Least IoU of a hit",
    "last_date": "To",
    "model": "Model",
    "phantom": "Phantom patients to measure on",
    "preset": "Preset",
    "release": "Release",
    "run": "Trained run",
    "scale": "Random zoom",
    "seed": "Seed",
    "since_last": "Only what changed since the last harvest",
    "source": "Source",
    "spacing": "Part of the slice",
    "title": "Title of a new collection",
    "split": "Split",
    "steps": "Steps",
    "strict": "All rows or none",
    "table": "Table",
    "weights": "Weights to start from",
    "z_jitter": "Neighbours moved by, mm",
}
UNSAID = ("order",)
"""What means something to a worker alone."""


def label(name: str) -> str:
    """What a parameter is called on pages."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def asked(job: Job) -> list[tuple[str, str]]:
    """What a job was asked to do; what was left open is left out."""
    return [
        (label(name), _words(value))
        for name, value in job.params.items()
        if name not in UNSAID and value not in (None, "", []) and value is not False and (value or name not in _COUNTS)
    ]


_COUNTS = ("accession_numbers", "documents", "phantom")


def _words(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def produced(job: Job) -> list[tuple[str, str]]:
    """Pages that show what a job made, or is making: words and address."""
    done = job.state == Job.State.SUCCEEDED
    if job.kind in ("train", "evaluate"):
        run = selectors.run_of(job)
        return [(f"Run {run.pk}", reverse("run", args=[run.pk]))] if run else []
    if job.kind == "harvest" and job.finished and job.started:
        links = [("Report of this harvest", reverse("job-report", args=[job.pk]))]
        if selectors.is_hospital(job.params.get("collection", "")):
            report = reverse("collection-report", args=[job.params["collection"]])
            links.append(("Everything harvested into the collection", report))
        return links
    if job.kind in ("import", "curate") and done:
        lesions = f"{reverse('lesions')}?collection={job.params['collection']}"
        links = [(f"Lesions of {job.params['collection']}", lesions)]
        if selectors.is_published(job.result.get("release", "")):
            links.append((f"Release {job.result['release']}", reverse("release", args=[job.result["release"]])))
        return links
    if job.kind in ("release", "manifest", "export") and done and "release" in job.params:
        name = job.params["release"]
        return [(f"Release {name}", reverse("release", args=[name]))]
    version = job.result.get("version") if job.kind == "bodypart" else job.params.get("model")
    if job.kind in ("bodypart", "locate") and done and version:
        return [(f"Model {version}", reverse("bodypart-model", args=[version]))]
    return []
