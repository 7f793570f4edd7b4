"""Releases: the list, and the page of one with its downloads."""

from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets import dl_info, manifest
from datasets.models import Release
from datasets.selectors import releases as release_selectors
from datasets.selectors import visibility as visible
from datasets.services import archive
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import agreements
from deeplesion_site.dashboard import citation
from deeplesion_site.dashboard.job_selectors import manifest_job
from deeplesion_site.dashboard.statistics_charts import splits_by_type


@require_safe
@needs(Right.READ_PUBLISHED)
def release_list(request: HttpRequest) -> HttpResponse:
    found = [(item, totals(item)) for item in visible.releases(access.visibility(request.user))]
    return render(request, "release_list.html", {"releases": found})


@require_safe
@needs(Right.READ_PUBLISHED)
def release_page(request: HttpRequest, name: str) -> HttpResponse:
    release = release_or_404(request, name)
    table = release_selectors.types_per_split(release)
    packed = archive.find(release.name)
    missing = missing_types(table)
    context = {
        **_preparing(release),
        "table": release_selectors.counts_table(release),
        "splits": list(dl_info.SPLITS.values()),
        "totals": totals(release),
        "charts": [splits_by_type(table)] if any(any(row.values()) for row in table.values()) else [],
        "missing": [(_listed(names), split) for split, names in missing.items()],
        "missing_one": len({name for names in missing.values() for name in names}) == 1,
        "citation": citation.of_release(release),
        "leaks": release_selectors.leaks_looked_for(release),
        "archive": packed,
        "lack": None if packed else lack_of_images(release),
        "gate": _gate(request.user, release),
        "convention": manifest.COORDINATE_CONVENTION,
        "site": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "release_page.html", context)


@require_safe
@needs(Right.READ_PUBLISHED)
def release_progress(request: HttpRequest, name: str) -> HttpResponse:
    """How far the manifest is; the page asks again while it is unfinished."""
    return render(request, "parts/release_manifest.html", _preparing(release_or_404(request, name)))


def release_or_404(request: HttpRequest, name: str) -> Release:
    """The release, where the account may know of it."""
    release = release_selectors.get(name, access.visibility(request.user))
    if release is None:
        raise Http404
    return release


def _gate(user: Any, release: Release) -> str:
    """What stands between an account and the files: "sign in", "role", "agreement", or nothing."""
    if not access.may(user, Right.DOWNLOAD):
        return "role" if user.is_authenticated else "sign in"
    return "" if agreements.has_signed(user, release) else "agreement"


def totals(release: Release) -> dict[str, int]:
    """Patients, studies, series, slices and lesions over all splits."""
    return {what: total for what, _, total in release_selectors.counts_table(release)}


def lack_of_images(release: Release) -> str:
    """What the downloads of a release lack, for their buttons; empty where all its images are there.

    What was missing when it was published is known from then; besides, a folder that images were left in may be gone.
    """
    folder = release.collection.image_folder
    if not totals(release)["slices"]:
        return "the table alone: the images were not there when it was published"
    if folder and not Path(folder).is_dir():
        return "the images cannot be read now: the folder that they were imported from is gone"
    without = release.compared.get("key_slices_without", 0)
    return f"the images of {without:,} key slice{'' if without == 1 else 's'} are missing" if without else ""


def missing_types(table: dict[int, dict[int, int]]) -> dict[str, list[str]]:
    """Types that the release holds but one of its splits does not, by the name of the split."""
    held = {code: row for code, row in table.items() if any(row.values())}
    found = {}
    for split, name in dl_info.SPLITS.items():
        types = [dl_info.TYPES[code] for code, row in held.items() if not row[split]]
        if types and len(types) < len(held):
            found[name] = types
    return found


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _preparing(release: Release) -> dict[str, Any]:
    ready = getattr(release, "manifest", None)
    return {"release": release, "manifest": ready, "job": None if ready else manifest_job(release.name)}
