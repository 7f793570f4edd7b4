"""manifest.json: what a release folder holds, so that whoever copies it can tell that nothing is missing or altered.

Shared by the site's exporter and the phantom; it needs the standard library and `datasets.dl_info` alone.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import dl_info

FORMAT_VERSION = 1
FILE_NAME = "manifest.json"
TABLE = "DL_info.csv"
IMAGES = "Images_png"

COORDINATE_CONVENTION = (
    "1-based in DL_info.csv (pixel centres at integers, x right, y down), 0-based = value - 1; "
    "PNG value = HU + 32768; slices numbered from head to feet"
)

PUBLISHED, SEVERAL = "published", "several sources"
GIVEN = frozenset({PUBLISHED, "phantom"})
"""Of `location_sources`: places that came with the lesions and were not computed."""
LONGEST_SOURCE = 64

Counts = dict[str, dict[str, int]]


def write(folder: Path, *, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Write `folder`/manifest.json over whatever files the folder holds and return its content.

    Parameters
    ----------
    folder : holds DL_info.csv and Images_png/{patient}_{study}_{series}/{slice}.png, and any other files.
    extra : at least `name`, `created` (ISO 8601) and `generator` (who wrote it, with its version); further keys are
        written as they are.

    Raises
    ------
    KeyError : `extra` lacks one of the three.
    """
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": extra["name"],
        "created": extra["created"],
        "generator": extra["generator"],
        "coordinate_convention": COORDINATE_CONVENTION,
        **extra,
        "counts": count(folder),
        "files": [_describe(folder, path) for path in _files(folder)],
    }
    temporary = folder / f".{FILE_NAME}.part"
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / FILE_NAME)
    return content


def location_source(folder: Path) -> str:
    """Who placed the lesions of a release: `published`, or the version of the regressor that computed their places.

    A release without a manifest, as the published download, and a phantom's came with their places. Of several
    sources no row tells its own.
    """
    try:
        sources = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))["location_sources"]
        named = sorted({str(source) for source in sources})
    except (OSError, ValueError, KeyError, TypeError):
        return PUBLISHED
    if GIVEN.issuperset(named):
        return PUBLISHED
    return SEVERAL if len(named) > 1 else named[0][:LONGEST_SOURCE]


def verify(folder: Path) -> list[str]:
    """Compare a folder with its manifest; one sentence per problem, an empty list when all is well."""
    try:
        content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        listed = {str(entry["path"]): (int(entry["bytes"]), str(entry["sha256"])) for entry in content["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{FILE_NAME} is missing or not a manifest"]
    problems = []
    present = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    for name, (size, digest) in listed.items():
        path = present.pop(name, None)
        if path is None:
            problems.append(f"{name} is missing")
        elif path.stat().st_size != size:
            problems.append(f"{name} has {path.stat().st_size} bytes instead of {size}")
        elif _sha256(path) != digest:
            problems.append(f"{name} differs from the file that was released")
    return problems + [f"{name} is not in the manifest" for name in present]


def count(folder: Path) -> Counts:
    """Count patients, studies, series, slices (PNG files, context included) and lesions per split."""
    seen: dict[str, tuple[set[int], set[tuple[int, int]], set[str]]] = {}
    lesions = dict.fromkeys(dl_info.SPLITS.values(), 0)
    for split in lesions:
        seen[split] = (set(), set(), set())
    for _, row, _ in dl_info.read(folder / TABLE):
        if row is None:
            continue
        split = dl_info.SPLITS[row.split]
        patients, studies, series = seen[split]
        patients.add(row.patient)
        studies.add((row.patient, row.study))
        series.add(row.folder)
        lesions[split] += 1
    return {
        split: {
            "patients": len(patients),
            "studies": len(studies),
            "series": len(series),
            "slices": sum(_count_png(folder / IMAGES / name) for name in series),
            "lesions": lesions[split],
        }
        for split, (patients, studies, series) in seen.items()
    }


def _count_png(folder: Path) -> int:
    return sum(name.endswith(".png") for name in os.listdir(folder)) if folder.is_dir() else 0


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / FILE_NAME and not path.name.endswith(".part"):
            yield path


def _describe(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    return {"path": name, "bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
