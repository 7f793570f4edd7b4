"""How to cite a release or one of its lesions."""

from datasets.models import Lesion, Release

PAPER = (
    "K. Yan, X. Wang, L. Lu, R. M. Summers, “DeepLesion: automated mining of large-scale lesion annotations and "
    "universal lesion detection with deep learning,” J. Med. Imaging 5(3), 036501 (2018)."
)


def of_release(release: Release) -> str:
    """Name, origin, date and, once it is known, the hash that proves what was used; then the paper."""
    day = f"{release.published:%Y-%m-%d}" if release.published else "draft"
    manifest = getattr(release, "manifest", None)
    proof = f", manifest SHA-256 {manifest.sha256}" if manifest else ""
    return f"Release {release.name} of {release.collection.title}, {day}{proof}. {PAPER}"


def of_lesion(lesion: Lesion, releases: list[Release]) -> str:
    """File and number of the lesion, and the newest release that holds it."""
    name = f"{lesion.slice.file_name}, lesion {lesion.number}"
    if not releases:
        return f"{name}, unpublished. {PAPER}"
    newest = max(releases, key=lambda release: release.pk)
    return f"{name}, in release {newest.name} of {lesion.slice.series.study.patient.collection.title}. {PAPER}"
