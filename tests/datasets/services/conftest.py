"""What the tests of harvests, of releases and of their files share."""

from pathlib import Path

import pytest

from datasets.models import Release
from datasets.services.import_deeplesion import import_deeplesion
from tests.datasets.pacs.dicom_files import MARKED, bidimensional, ct_series, report, save
from tests.datasets.tables import draw, row, write


@pytest.fixture
def data_dir(tmp_path, settings):
    """Keep what is written apart."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    return settings.DATA_DIR


@pytest.fixture
def release(data_dir: Path, tmp_path: Path) -> Release:
    """Three patients with images in our own storage: slices 8 to 12 around the lesion on 10, and one far away."""
    images = tmp_path / "Images_png"
    rows = [row(number, split=number) for number in (1, 2, 3)]
    for each in rows:
        for number in (8, 9, 10, 11, 12, 40):
            draw(images, each.folder, number, seed=each.patient)
    import_deeplesion(write(tmp_path / "in.csv", rows), images=images, copy=True, release="r-1")
    return Release.objects.get()


@pytest.fixture
def hospital(tmp_path):
    """Five slices of one series, and a report that marks the third."""
    folder = tmp_path / "pacs"
    for number, each in enumerate(ct_series()):
        save(each, folder / "images" / f"{number}.dcm")
    save(report(bidimensional(MARKED.SOPInstanceUID), SOPInstanceUID="1.9.1"), folder / "reports" / "first")
    return folder
