"""What the work itself takes, kind by kind: rows, slices, disk. Estimates are rather too large, and say of what.

No image is opened for them and nothing is asked of a PACS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from datasets import manifest
from datasets.models import Release
from datasets.models.release import Split
from datasets.services.import_deeplesion import lines
from deeplesion_site import harvest_wish, import_wish
from deeplesion_site.cost import sizes
from detection.bodypart.settings import PARAMETERS as REGRESSOR_PARAMETERS
from detection.bodypart.settings import PRESETS as REGRESSORS
from detection.presets import PARAMETERS, PRESETS, Preset
from workers.errors import InvalidParams
from workers.models import Job

LESION_ROWS, RELEASE_ROWS, PLACE_ROW, DETECTION_ROW = 1000, 600, 200, 300
"""Bytes in the database, indexes included: of an imported lesion, of one in a release, of a slice's place, of a
detection with its line in a CSV. Measured are the first two on SQLite, 394 and 251; all are rather too large."""
MANIFEST_LINE = 200
LARGEST_SLICE = 512 * 512 * 2
"""Bytes of a slice that nothing was saved on."""
REGRESSOR_EXTRA = 500_000
"""Bytes of a regressor beside its weights: what it has seen, curves, log."""
SAMPLED = 20
"""Series folders of a download whose files are measured."""
LEARNED = (Split.TRAIN, Split.VAL)


@dataclass(frozen=True)
class Needs:
    """None stands for what is not known before."""

    rows: int | None = None
    rows_words: str = ""
    slices: int | None = None
    slices_words: str = ""
    kept: int | None = None
    """Bytes that stay."""
    passing: int = 0
    """Bytes beside, while it works."""
    disk_words: str = ""
    """What takes them, or why they are not known."""
    preset: str = ""
    """Of the network that is trained or used."""


NOT_COUNTED = Needs(
    slices_words="known once a dry run of the same has counted them", disk_words="known with the slices"
)
"""A harvest of which nobody knows what a PACS holds."""


def of(kind: str, wish: Mapping[str, Any]) -> Needs:
    """What a job takes.

    Parameters
    ----------
    wish : what is asked for, valid and with what was left out filled in.

    Raises
    ------
    InvalidParams : there is no release, collection or run of that name.
    """
    return KINDS[kind](wish)


def of_rehearsed(rehearsal: Job) -> Needs:
    """What a harvest takes that a dry run has counted."""
    slices, lesions = rehearsal.result.get("slices"), rehearsal.result.get("lesions")
    if slices is None or lesions is None:
        return NOT_COUNTED
    mean = sizes.mean_slice_bytes()
    known = "the mean of what is stored" if mean else "which few reach"
    each = mean or LARGEST_SLICE
    return Needs(
        rows=lesions,
        rows_words=f"{lesions:,} new lesion{'' if lesions == 1 else 's'}",
        slices=slices,
        slices_words=f"{slices:,} new, as job {rehearsal.pk} counted",
        kept=slices * each + lesions * LESION_ROWS,
        disk_words=f"at {filesizeformat(each)} a slice, {known}",
    )


def _harvest(wish: Mapping[str, Any]) -> Needs:
    if wish["dry_run"]:
        return Needs(slices_words="the dry run counts them", kept=0, disk_words="a dry run writes nothing")
    rehearsal = harvest_wish.rehearsed(wish)
    if rehearsal is not None:
        return of_rehearsed(rehearsal)
    return NOT_COUNTED


def _import(wish: Mapping[str, Any]) -> Needs:
    """Of a download only what is known without opening its images."""
    folder = import_wish.folder_of(wish["download"])
    rows = max(0, lines(folder / manifest.TABLE) - 1)
    images, in_rows = folder / manifest.IMAGES, rows * LESION_ROWS
    if not images.is_dir():
        words = f"none are read: there is no {manifest.IMAGES}"
        return Needs(rows, f"{rows:,}", 0, words, in_rows, disk_words="rows in the database")
    series = sorted(path for path in images.iterdir() if path.is_dir())
    told = f"the key slices of the rows are read, at most {rows:,}; {len(series):,} series"
    if not wish["copy"]:
        return Needs(
            rows, f"{rows:,}", rows, told, in_rows, disk_words="rows in the database; the images stay where they are"
        )
    looked_at = series[:: max(1, len(series) // SAMPLED)]
    mean = sum(_bytes_in(path) for path in looked_at) / max(1, len(looked_at))
    words = f"all images, by the mean of {len(looked_at)} of {len(series):,} series, and rows in the database"
    return Needs(rows, f"{rows:,}", rows, told, round(mean * len(series)) + in_rows, disk_words=words)


def _curate(wish: Mapping[str, Any]) -> Needs:
    size = _collection(wish["collection"])
    return Needs(size.lesions, _lesions(size), size.slices, f"{size.slices:,} with a lesion")


def _release(wish: Mapping[str, Any]) -> Needs:
    size, slices = _collection(wish["collection"]), sizes.stored_slices(wish["collection"])
    kept = size.lesions * RELEASE_ROWS + slices * MANIFEST_LINE
    return Needs(size.lesions, _lesions(size), slices, _around(size, slices), kept, disk_words="rows and a manifest")


def _locate(wish: Mapping[str, Any]) -> Needs:
    size, slices = _collection(wish["collection"]), sizes.stored_slices(wish["collection"])
    kept = (size.lesions + slices) * PLACE_ROW
    return Needs(size.lesions, _lesions(size), slices, _around(size, slices), kept, disk_words="a place of each slice")


def _manifest(wish: Mapping[str, Any]) -> Needs:
    _, size, slices = _published(wish["release"])
    kept = slices * MANIFEST_LINE
    return Needs(size.lesions, _lesions(size), slices, _around(size, slices), kept, disk_words="the manifest")


def _export(wish: Mapping[str, Any]) -> Needs:
    release, size, slices = _published(wish["release"])
    kept = sizes.bytes_of_release(release)
    words = "known once its manifest is written" if kept is None else "a zip of the files as they are"
    return Needs(size.lesions, _lesions(size), slices, _around(size, slices), kept, disk_words=words)


def _bodypart(wish: Mapping[str, Any]) -> Needs:
    release, size, _ = _published(wish["release"])
    preset = REGRESSORS[wish["preset"]]
    counts = [release.counts.get(split.label, {}) for split in LEARNED]
    series, slices = (sum(each.get(name, 0) for each in counts) for name in ("series", "slices"))
    if preset.series and series:
        # It draws so many series to learn from, and a sixth of that to check with.
        slices = min(slices, round(slices / series * preset.series * 7 / 6))
    copied, words = _copied(release)
    weights = REGRESSOR_PARAMETERS[preset.name]
    return Needs(
        size.lesions, _lesions(size), slices, f"about {slices:,}, none of test patients",
        4 * weights + REGRESSOR_EXTRA + copied, slices * preset.size**2 + 12 * weights,
        f"the model{words}; checkpoint and pictures of {preset.size} x {preset.size} pixels while it trains",
        preset.name,
    )  # fmt: skip


def _train(wish: Mapping[str, Any]) -> Needs:
    release, whole, _ = _published(wish["release"])
    preset = PRESETS[wish["preset"]]
    size = sizes.of_release(release, LEARNED)
    there = sum(release.counts.get(split.label, {}).get("slices", 0) for split in LEARNED)
    slices = min(round(size.slices * wish["fraction"]) * preset.input.channels, there or size.slices)
    copied, words = _copied(release)
    checkpoint = _checkpoint(preset, wish["backbone"])
    return Needs(
        whole.lesions, _lesions(whole), slices, f"at most {slices:,}: lesions' own and those beside them",
        2 * checkpoint + copied, checkpoint + slices * preset.input.size**2 * 2,
        f"two checkpoints{words}; decoded slices while it trains", preset.name,
    )  # fmt: skip


def _evaluate(wish: Mapping[str, Any]) -> Needs:
    run = sizes.run(wish["run"])
    if run is None:
        raise InvalidParams({"run": f"There is no run {wish['run']}."})
    release, _, _ = _published(run.release)
    size = sizes.of_release(release, Split if wish["split"] == "all" else [Split[wish["split"].upper()]])
    copied, words = _copied(release)
    detections = size.slices * PRESETS[run.preset].network.detections
    return Needs(
        size.lesions, _lesions(size), size.slices, f"{size.slices:,} with a lesion, and those beside them",
        detections * DETECTION_ROW + copied, disk_words=f"at most {detections:,} detections{words}", preset=run.preset,
    )  # fmt: skip


KINDS: dict[str, Callable[[Mapping[str, Any]], Needs]] = {
    "harvest": _harvest,
    "import": _import,
    "curate": _curate,
    "release": _release,
    "manifest": _manifest,
    "export": _export,
    "bodypart": _bodypart,
    "locate": _locate,
    "train": _train,
    "evaluate": _evaluate,
}


def _collection(slug: str) -> sizes.Size:
    found = sizes.of_collection(slug)
    if found is None:
        raise InvalidParams({"collection": f"There is no collection {slug}."})
    return found


def _published(name: str) -> tuple[Release, sizes.Size, int]:
    """A release, its lesions, and how many slices it holds."""
    found = sizes.release(name)
    if found is None:
        raise InvalidParams({"release": f"There is no published release {name}."})
    return found, sizes.of_release(found, Split), sum(each.get("slices", 0) for each in found.counts.values())


def _lesions(size: sizes.Size) -> str:
    return f"{size.lesions:,} lesion{'' if size.lesions == 1 else 's'}"


def _around(size: sizes.Size, slices: int) -> str:
    return f"{slices:,} in all, {size.slices:,} with a lesion"


def _checkpoint(preset: Preset, backbone: Any) -> int:
    """Bytes: four for every weight, and as many for each thing that the optimiser keeps of it."""
    states = 2 if preset.training.optimizer == "adamw" else 1
    return 4 * (1 + states) * PARAMETERS[backbone or preset.network.backbone]


def _copied(release: Release) -> tuple[int, str]:
    """Bytes of the release as a folder, which is made of links where the slices lie on the same disk; and words."""
    data = Path(settings.DATA_DIR)
    if (data / "exports" / release.name).is_dir():
        return 0, ""
    place = Path(release.collection.image_folder or data)
    if not (settings.S3_BUCKET and not release.collection.image_folder) and _device(place) == _device(data):
        return 0, ""
    size = sizes.bytes_of_release(release)
    return size or 0, ", and a copy of the release" + ("" if size else ", which is as large as its images")


def _device(path: Path) -> int:
    try:
        return path.stat().st_dev
    except OSError:
        return -1


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
