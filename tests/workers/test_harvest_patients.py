"""Whose a study is must be sure: one whose objects name several patients is left out, and merges nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datasets.models import Annotation, Patient, SourceIdentity
from datasets.pacs.source import merged
from tests.datasets.pacs.test_query import study as listed
from tests.harvesting import harvest, reported
from tests.workers.served import folder, web
from tests.workers.three_studies import study

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_data")]


@pytest.mark.parametrize("serve", [folder, web], ids=["folder", "DICOMweb"])
@pytest.mark.parametrize("keyword", ["PatientID", "IssuerOfPatientID"])
def test_a_study_of_several_patients_is_left_out(serve, keyword, tmp_path) -> None:
    first, second, good = (study(f"1.2.840.9.{number}", **{keyword: str(number)}) for number in (1, 2, 3))
    for each in (first[-1], second[-1]):
        setattr(each, keyword, "ANON")
    with serve([*first, *second, *good], tmp_path / "pacs") as address:
        for dry_run in (True, False):
            status, out, err = harvest(address, dry_run=dry_run)
            assert status == 1
            assert "2  SeveralPatients" in out
            assert "ANON" not in err
            assert "New lesions: 1." in out
    assert reported() == {"SeveralPatients": 2}
    assert Patient.objects.count() == Annotation.objects.count() == 1
    assert SourceIdentity.objects.count() == 3


def test_what_a_server_lists_of_several_patients_is_no_study_of_one() -> None:
    named, other, nameless = listed(1), listed(1, PatientID="4712"), listed(1, PatientID="")
    assert merged([named, nameless])[0].of_one_patient
    for entries in ([named, other, nameless], [nameless, other, named], [other, replace(named, ModalitiesInStudy=())]):
        assert not merged(entries)[0].of_one_patient
