"""A patient's studies over time: their order, the days between them, and which lesions are one."""

from collections import Counter
from io import StringIO

import pytest
from django.core.management import call_command

from datasets.models import Annotation, Lesion, Study
from tests.datasets.pacs.dicom_files import CROSS, STUDY, bidimensional, code, content, ct, identifier, report, save
from tests.datasets.services.test_harvest import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


def test_studies_follow_time_and_patients_are_told_apart_by_issuer(tmp_path):
    folder = tmp_path / "pacs"
    visits = [("7", "A", "20160301"), ("7", "A", "20150101"), ("7", "B", "20150601")]
    for number, (patient, issuer, date) in enumerate(visits):
        study, series = f"{STUDY}.{number}", f"{STUDY}.{number}.1"
        uid = f"{series}.5"
        common = {"StudyInstanceUID": study, "PatientID": patient, "IssuerOfPatientID": issuer, "StudyDate": date}
        save(ct(SOPInstanceUID=uid, SeriesInstanceUID=series, **common), folder / f"{number}-image")
        mark = report(bidimensional(uid), SOPInstanceUID=f"{study}.9", **common)
        save(mark, folder / f"{number}-report")
    assert run(folder)[0] == 0
    days = Study.objects.order_by("patient", "number").values_list("patient__number", "days_since_first")
    assert sorted(len(list(group)) for group in ([d for p, d in days if p == n] for n in (1, 2))) == [1, 2]
    two = next(n for n in (1, 2) if sum(p == n for p, _ in days) == 2)
    assert [d for p, d in days if p == two] == [0, 425]


def test_an_earlier_study_that_comes_later_moves_no_day(tmp_path):
    folder = tmp_path / "pacs"
    for number, date in enumerate(["20160101", "20150101", "20160201"]):
        study, series = f"{STUDY}.{number}", f"{STUDY}.{number}.1"
        common = {"StudyInstanceUID": study, "StudyDate": date, "PatientID": "4711"}
        save(ct(SOPInstanceUID=f"{series}.5", SeriesInstanceUID=series, **common), folder / f"{number}-image")
        save(report(bidimensional(f"{series}.5"), SOPInstanceUID=f"{study}.9", **common), folder / f"{number}-report")
        run(folder)
    days = Study.objects.order_by("number").values_list("number", "days_since_first")
    assert list(days) == [(1, 0), (2, -365), (3, 31)]


def test_a_follow_up_number_links_the_lesion_over_time(tmp_path):
    folder = tmp_path / "pacs"
    for number, date in enumerate(["20150101", "20150401"]):
        study, series = f"{STUDY}.{number}", f"{STUDY}.{number}.1"
        uid = f"{series}.5"
        common = {"StudyInstanceUID": study, "StudyDate": date}
        save(ct(SOPInstanceUID=uid, SeriesInstanceUID=series, **common), folder / f"{number}-image")
        mark = bidimensional(uid, identifier(f"B0{number + 1} F03"))
        save(report(mark, SOPInstanceUID=f"{study}.9", PatientID="4711", **common), folder / f"{number}-report")
    run(folder)
    assert {lesion.follow_up.number for lesion in Lesion.objects.all()} == {3}
    assert list(Annotation.objects.order_by("pk").values_list("label", flat=True)) == ["B01", "B02"]


def test_a_name_links_the_lesion_over_time_where_nothing_else_does(tmp_path):
    folder = tmp_path / "pacs"
    for number, patient in enumerate(["4711", "4711", "4712"]):
        study, series = f"{STUDY}.{number}", f"{STUDY}.{number}.1"
        common = {"StudyInstanceUID": study, "PatientID": patient}
        save(ct(SOPInstanceUID=f"{series}.5", SeriesInstanceUID=series, **common), folder / f"{number}-image")
        for place, name in enumerate(("Lesion 1", "Lesion 2")):
            long, short = ([x + 25 * place * (1 - axis % 2) for axis, x in enumerate(line)] for line in CROSS)
            mark = bidimensional(f"{series}.5", identifier(name), long=long, short=short)
            save(report(mark, SOPInstanceUID=f"{study}.9.{place}", **common), folder / f"{number}-{place}-report")
    run(folder)
    sets = Lesion.objects.values_list("slice__series__study__patient", "follow_up__number")
    assert sorted(Counter(sets).values()) == [1, 1, 2, 2]
    stored = StringIO()
    call_command("dumpdata", "datasets", stdout=stored)
    assert "lesion 1" not in stored.getvalue().lower(), "it is free text, and only its hash is kept"


def test_a_tracking_uid_goes_before_a_number_of_the_report(tmp_path):
    folder = tmp_path / "pacs"
    save(ct(), folder / "image")
    for number, shift in enumerate((0, 25)):
        tracked = content("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"), UID=f"1.2.8.{number}")
        long, short = ([x + shift * (1 - place % 2) for place, x in enumerate(line)] for line in CROSS)
        mark = bidimensional(ct().SOPInstanceUID, identifier("F03"), tracked, long=long, short=short)
        save(report(mark, SOPInstanceUID=f"1.9.{number}"), folder / f"{number}-report")
    run(folder)
    assert sorted(lesion.follow_up.number for lesion in Lesion.objects.all()) == [3, 101]


def test_a_follow_up_set_without_a_number_leaves_the_reports_numbers_to_their_own(tmp_path):
    folder = tmp_path / "pacs"
    save(ct(), folder / "image")
    for number, name in enumerate(("B01", "B02 F01")):
        tracked = content("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"), UID=f"1.2.8.{number}")
        long, short = ([x + 25 * number * (1 - place % 2) for place, x in enumerate(line)] for line in CROSS)
        mark = bidimensional(ct().SOPInstanceUID, identifier(name), tracked, long=long, short=short)
        save(report(mark, SOPInstanceUID=f"1.9.{number}"), folder / f"{number}-report")
    run(folder)
    numbers = Lesion.objects.values_list("annotation__label", "annotation__follow_up", "follow_up__number")
    assert sorted(numbers) == [("B01", "", 101), ("B02", "F01", 1)]
