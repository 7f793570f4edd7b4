"""The same objects as a source of one kind or the other."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pydicom.dataset import Dataset

from tests.datasets.pacs.dicom_files import save
from tests.datasets.pacs.web_archive import archive

Serve = Callable[[list[Dataset], Path], AbstractContextManager[str]]
"""Objects and a folder to use; gives the address of a source."""


@contextmanager
def folder(objects: list[Dataset], root: Path) -> Iterator[str]:
    for number, each in enumerate(objects):
        save(each, root / f"{number}.dcm")
    yield f"dir://{root}"


@contextmanager
def web(objects: list[Dataset], root: Path) -> Iterator[str]:
    with archive(objects) as address:
        yield address
