"""Which release a folder holds, by its manifest: name, hash, and who placed its lesions in the body."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from detection.errors import BadRelease

FORMAT_VERSION = 1
"""Of manifest.json."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one release from another."""

    name: str
    sha256: str
    """Of manifest.json; of DL_info.csv where there is no manifest, as in the published download."""
    location_sources: tuple[str, ...]
    """Who Normalized_lesion_location is from: `published`, `phantom`, or versions of regressors; none if not told."""


def identify(folder: Path) -> Identity:
    """Read the manifest of a release, if it has one, and check its version.

    Raises
    ------
    BadRelease : it holds no DL_info.csv or no Images_png, or its manifest is of another version.
    """
    table, images, manifest = folder / "DL_info.csv", folder / "Images_png", folder / "manifest.json"
    if not table.is_file() or not images.is_dir():
        raise BadRelease(f"{folder} is no release: it should hold DL_info.csv and Images_png")
    if not manifest.is_file():
        return Identity(folder.resolve().name, _sha256(table), ("published",))
    try:
        content = json.loads(manifest.read_bytes())
        version, name = content["format_version"], str(content["name"])
        sources = tuple(str(source) for source in content.get("location_sources", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRelease(f"{manifest} cannot be read; export the release again") from error
    if version != FORMAT_VERSION:
        raise BadRelease(
            f"{name} is a release of version {version!r}, readable here is version {FORMAT_VERSION}; "
            "export it again with this system"
        )
    return Identity(name, _sha256(manifest), sources)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
