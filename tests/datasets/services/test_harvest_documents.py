"""Documents beside the images, harvested: copies of them, and what is added to them."""

import numpy as np
import pytest

from datasets.models import Annotation, Lesion
from tests.datasets.pacs.dicom_files import ct_series, save
from tests.datasets.pacs.test_aim import IMAGE, LONG, MULTI, SHORT, aim4, annotation4
from tests.datasets.pacs.test_export import COLUMNS, MM, line
from tests.harvesting import harvest

pytestmark = pytest.mark.django_db

MOVED = np.array([12.0, 0.0, 0.0])
FIRST = f"{COLUMNS}\n{line()}\n".encode()
SECOND = f"{COLUMNS}\n{line(mm=MM + MOVED)}\n".encode()
ANNOTATION = annotation4((MULTI, LONG + SHORT))


@pytest.fixture
def hospital(tmp_path, data_dir):
    for number, each in enumerate(ct_series()):
        save(each, tmp_path / "pacs" / f"{number}.dcm")
    return tmp_path / "pacs"


@pytest.mark.parametrize(("name", "content"), [("a.csv", FIRST), ("a.xml", aim4(ANNOTATION))], ids=["CSV", "AIM"])
@pytest.mark.parametrize("inside", [True, False], ids=["in the folder", "beside it"])
def test_a_copy_of_a_document_adds_nothing(hospital, tmp_path, name, content, inside):
    (hospital / name).write_bytes(content)
    copy = hospital / f"copy-{name}" if inside else tmp_path / name
    copy.write_bytes(content)
    for dry_run, lesions in ((True, 1), (False, 1), (False, 0)):
        status, out, err = harvest(f"dir://{hospital}", documents=[] if inside else [copy], dry_run=dry_run)
        assert (status, err) == (0, "")
        assert f"2 annotations, {2 - lesions} of them known." in out
        assert f"New lesions: {lesions}." in out
    assert Annotation.objects.count() == Lesion.objects.count() == 1


def test_a_bad_row_is_told_once_and_waits_for_nothing(hospital):
    export = hospital / "a.csv"
    export.write_bytes(FIRST.replace(b"-12.000", b"n/a"))
    for number in range(2):
        status, out, err = harvest(f"dir://{hospital}")
        assert (status, err) == (0, "")
        assert ("1  not_recist" in out) is (number == 0)
    assert "1 annotation, 1 of them known." in out
    assert [each.detail for each in Annotation.objects.all()] == ["a coordinate of its row is no number"]
    export.write_bytes(FIRST)
    assert "New lesions: 1." in harvest(f"dir://{hospital}")[1]


def test_two_documents_of_one_name_both_count(hospital, tmp_path):
    (hospital / "a.csv").write_bytes(FIRST)
    (tmp_path / "a.csv").write_bytes(SECOND)
    assert harvest(f"dir://{hospital}", documents=[tmp_path / "a.csv"])[0] == 0
    assert Lesion.objects.count() == 2


def test_an_aim_document_that_grew_gives_what_is_new(hospital):
    document = hospital / "a.xml"
    document.write_bytes(aim4(ANNOTATION))
    harvest(f"dir://{hospital}")
    added = ANNOTATION.replace(IMAGE, "1.2.3.1.1.1100").replace("1.2.9.2", "1.2.9.7")
    document.write_bytes(aim4(added, ANNOTATION))
    assert harvest(f"dir://{hospital}")[0] == 0
    assert sorted(Lesion.objects.values_list("slice__number", flat=True)) == [3, 4]
