"""A study's annotation objects, one after the other: none is passed over, and between any two a harvest can end."""

import pytest

from datasets.models import Annotation
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.directory import DirectorySource
from datasets.services.harvest.marks import read_marks
from tests.datasets.pacs.dicom_files import MARKED, bidimensional, report, save
from tests.harvesting import harvest


class Cancelled(Exception):
    """Somebody ended the harvest."""


def test_a_harvest_can_be_ended_between_two_reports_of_a_study(hospital):
    save(report(bidimensional(MARKED.SOPInstanceUID), SOPInstanceUID="1.9.2"), hospital / "reports" / "second")
    source = DirectorySource(hospital)
    (study,) = source.studies()
    called = []

    def check():
        if called:
            raise Cancelled
        called.append(True)

    marks = read_marks(source, source.instances(study), Pseudonymiser(bytes(32)), check)
    assert next(marks).bookmark.report == "1.9.1"
    with pytest.raises(Cancelled):
        next(marks)


@pytest.mark.django_db
def test_what_is_not_read_is_an_annotation_with_a_reason_whatever_its_file_holds(hospital, data_dir):
    for number, sop_class, modality in ((2, "1.3.12.2.1107.5.9.1", "SR"), (3, "1.3.46.670589.2.5.1.1", "PR")):
        private = report(SOPClassUID=sop_class, Modality=modality, SOPInstanceUID=f"1.9.{number}")
        save(private, hospital / "reports" / modality)
    for _ in range(2):
        assert harvest(f"dir://{hospital}")[0] == 0
    assert sorted(Annotation.objects.values_list("carrier", "reason")) == [
        ("PR", "unsupported_object"),
        ("SR", ""),
        ("SR", "unsupported_object"),
    ]
