"""Import a DeepLesion download: its rows, and what its key images show; its release is published next.

Lesions that came without a place are located next, where a regressor is there.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datasets.dl_info import Problem
from datasets.png import MISSING
from datasets.services.import_deeplesion import BadRows, Summary, check_download, import_deeplesion
from datasets.services.import_journal import Journal
from workers import locating
from workers.kind import Kind
from workers.kinds import locate
from workers.models import Job
from workers.params import CollectionName, Params, ReleaseName
from workers.run import Run

MISSING_TOLD = 20
"""Images of a partial download that are not there; the others are counted."""
SHOWN = 50
"""Problems of one sort that a job's record keeps; a terminal gets to see all."""


@dataclass(frozen=True)
class ImportParams(Params):
    """Paths come from a command line, or from the folder that an administrator has set aside; never from a client."""

    table: str
    """DL_info.csv."""
    images: str = ""
    """Images_png; empty for the rows alone."""
    collection: CollectionName = "deeplesion"
    release: ReleaseName = ""
    """To publish with the official split; empty for none."""
    copy: bool = False
    strict: bool = False


def params_of(
    table: Path, *, images: Path | None, collection: str, release: str = "", copy: bool = False, strict: bool = False
) -> dict[str, Any]:
    """The parameters of a job for a download that is no wrong one at first sight.

    Raises
    ------
    Refused, NotDeepLesion, ValidationError
    """
    check_download(table, collection=collection, images=images, copy=copy)
    return asdict(
        ImportParams(
            str(table.absolute()), str(images.absolute()) if images else "", collection, release, copy, strict
        )
    )


def work(params: ImportParams, run: Run) -> dict[str, Any]:
    """Import; what an attempt that was broken off has seen of the images is not looked at again."""
    journal = run.folder / "survey.jsonl"

    def on_rows(done: int, total: int) -> None:
        (run.show if done else run.progress)(done, total, "rows")

    try:
        summary = import_deeplesion(
            Path(params.table),
            collection=params.collection,
            images=Path(params.images) if params.images else None,
            copy=params.copy,
            release=params.release,
            strict=params.strict,
            on_images=partial(run.progress, unit="series"),
            on_rows=on_rows,
            publish=False,
            seen=Journal(journal),
            check=run.check_cancelled,
            fence=run.fence,
        )
    except BadRows as refused:
        _tell(refused.summary, run)
        raise
    _tell(summary, run)
    if summary.release:
        run.then("release", {"release": summary.release, "collection": params.collection})
    if new := locating.wanted(params.collection):
        run.then(locate.KIND.name, new)
    run.afterwards(partial(journal.unlink, missing_ok=True))
    return _result(summary)


def _tell(summary: Summary, run: Run) -> None:
    """Say what is wrong with the download; a reason may quote a cell, so that a terminal alone sees it."""
    for what, problems in (
        ("Bad row", summary.bad),
        ("Deviation", summary.deviations),
        ("Image", _first_missing(summary.image_problems)),
    ):
        for problem in problems:
            run.tell(f"{what}: {problem}")


def _first_missing(images: list[str]) -> list[str]:
    """Every damaged image, the first that are missing, and how many more are: of a part of a download, most are."""
    there = [each for each in images if not each.endswith(f": {MISSING}")]
    missing = [each for each in images if each.endswith(f": {MISSING}")]
    more = len(missing) - MISSING_TOLD
    return [*there, *missing[:MISSING_TOLD], *([f"{more:,} more are {MISSING}"] if more > 0 else [])]


def _result(summary: Summary) -> dict[str, Any]:
    return {
        "rows": summary.rows,
        "lesions_known": summary.known,
        "rows_left_out": summary.bad_rows,
        "deviations": len(summary.deviations),
        "images_left_out": len(summary.image_problems),
        "release": summary.release,
        "added": summary.added,
        "bad_rows": [_place(problem) for problem in summary.bad[:SHOWN]],
        "missing_or_damaged_images": summary.image_problems[:SHOWN],
    }


def _place(problem: Problem) -> dict[str, Any]:
    return {name: value for name, value in asdict(problem).items() if name != "reason"}


KIND = Kind("import", "import DeepLesion", Job.Queue.IO, ImportParams, work)
