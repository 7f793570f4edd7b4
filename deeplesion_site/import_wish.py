"""An import as it is asked for from a page or the API: by the name of a download, never by a path.

Downloads are the folders below `IMPORT_DIR`, which whoever runs the server sets; a command may name any path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from datasets import manifest
from datasets.dl_info import NotDeepLesion
from datasets.services import release as releases
from datasets.services.errors import Refused
from workers.kinds import import_download
from workers.params import Params, read


@dataclass(frozen=True)
class ImportWish(Params):
    download: str
    collection: str = "deeplesion"
    release: str = ""
    copy: bool = False
    strict: bool = False

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """What the types cannot tell."""
        if _base() is None:
            yield "download", "There are no downloads to choose from: IMPORT_DIR is not set, see docs/settings.md."
        elif self.download not in downloads():
            yield "download", f"download must be a folder below IMPORT_DIR that holds {manifest.TABLE}."
        else:
            try:
                self.params()
            except ValidationError as error:
                yield "collection", f"collection cannot be taken: {'; '.join(error.messages).rstrip('.')}."
            except (Refused, NotDeepLesion) as error:
                yield "download", f"The import makes no sense: {str(error).rstrip('.')}."
        if self.release and releases.find(self.release) is None:
            try:
                releases.check_name(self.release)
            except releases.ReleaseRefused as error:
                yield "release", f"release cannot be taken: {str(error).rstrip('.')}."

    def params(self) -> dict[str, Any]:
        """The parameters of the job.

        Raises
        ------
        Refused, NotDeepLesion, ValidationError
        """
        folder = folder_of(self.download)
        images = folder / manifest.IMAGES
        return import_download.params_of(
            folder / manifest.TABLE,
            images=images if images.is_dir() else None,
            collection=self.collection,
            release=self.release,
            copy=self.copy and images.is_dir(),
            strict=self.strict,
        )


def params_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check what is asked for; give the parameters of the job.

    Raises
    ------
    InvalidParams
    """
    return read(ImportWish, values).params()


def downloads() -> list[str]:
    """Names of the folders that can be imported."""
    base = _base()
    found = base.iterdir() if base is not None and base.is_dir() else ()
    return sorted(path.name for path in found if (path / manifest.TABLE).is_file())


def folder_of(download: str) -> Path:
    """The folder of a download that `downloads` names.

    Raises
    ------
    KeyError : it names none of that name.
    """
    base = _base()
    if base is None or download not in downloads():
        raise KeyError(download)
    return base / download


def _base() -> Path | None:
    base: Path | None = settings.IMPORT_DIR
    return base
