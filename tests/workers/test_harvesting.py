"""Which studies a harvest looks at, and that nobody learns from its record which patients they are of."""

import os
import re
import time
from datetime import date, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from datasets.models import Annotation, Collection, HarvestedStudy, Lesion
from datasets.pacs.directory import DirectorySource
from datasets.services import curate
from datasets.services.harvest import Report
from datasets.services.harvest.order import BadOrder, Order, accession_numbers, find, older_than
from datasets.words import counted
from tests.datasets.pacs.dicom_files import bidimensional, ct, report, save
from tests.datasets.pacs.web_server import send, serving
from tests.harvesting import harvest
from workers import engine, expiry, harvesting
from workers.errors import Cancelled
from workers.exported import alone_in
from workers.models import Job, JobEvent
from workers.run import Rehearsal

pytestmark = pytest.mark.django_db

DAYS = ("20150101", "20150601", "20160301")


@pytest.fixture(autouse=True)
def data_dir(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "data"
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"


def run(folder, **options):
    """Harvest a folder; return exit status, what was printed, what was complained of."""
    return harvest(f"dir://{folder}", **options)


def study(folder, number, marks=1):
    """One slice with marks on it; accession number ZEBRA1, ZEBRA2 ..."""
    uid = f"1.2.840.77.{number}"
    common = {"StudyInstanceUID": uid, "StudyDate": DAYS[number - 1], "AccessionNumber": f"ZEBRA{number}"}
    save(ct(SOPInstanceUID=f"{uid}.1.1", SeriesInstanceUID=f"{uid}.1", **common), folder / f"{number}" / "image")
    for mark in range(marks):
        again(folder, number, mark, **common)


def again(folder, number, mark, **common):
    """A report that marks the study's slice."""
    uid = f"1.2.840.77.{number}"
    left = 10.5 + 4 * mark
    drawn = bidimensional(f"{uid}.1.1", long=(left, 20.5, left + 20, 20.5), short=(left + 10, 12.5, left + 10, 28.5))
    common = {"StudyInstanceUID": uid, **common}
    save(report(drawn, SOPInstanceUID=f"{uid}.9.{mark}", **common), folder / f"{number}" / f"report{mark}")


@pytest.fixture
def hospital(tmp_path):
    """Three studies of one patient on three days, each with one mark."""
    folder = tmp_path / "pacs"
    for number in (1, 2, 3):
        study(folder, number)
    return folder


@pytest.fixture
def listed(tmp_path):
    """A list of accession numbers, one of which no study has."""
    path = tmp_path / "list.txt"
    path.write_text("\ufeffZEBRA2\n\n  ZEBRA3 \nZEBRA9\nZEBRA2\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("options", "studies"),
    [
        ({"first_date": date(2015, 2, 1)}, 2),
        ({"last_date": date(2015, 6, 1)}, 2),
        ({"first_date": date(2015, 2, 1), "last_date": date(2015, 12, 31)}, 1),
        ({"annotations": "sr, PR"}, 3),
        ({"annotations": "PR"}, 0),
    ],
)
def test_only_what_was_asked_for_is_looked_at(hospital, options, studies):
    status, out, _ = run(hospital, **options)
    assert status == 0
    assert f"{counted(studies, 'study', 'studies')}, {studies} with bookmarks" in out
    assert Lesion.objects.count() == studies


def test_a_list_of_accession_numbers_is_the_paper_s_way(hospital, listed):
    status, out, err = run(hospital, accessions=str(listed))
    assert status == 1, "one of the list was not found"
    assert err == "accession number 3 of the list: no study was found for this accession number\n"
    assert "2 studies, 2 with bookmarks" in out
    assert "1  NotFound" in out
    assert Job.objects.get().result["errors"] == {"NotFound": 1}


def test_a_list_comes_from_standard_input_as_well(hospital, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO("ZEBRA1\n"))
    assert "1 study, 1 with bookmarks" in run(hospital, accessions="-")[1]


def test_no_accession_number_is_in_the_job_the_output_or_the_database(hospital, listed):
    outcomes = [run(hospital, accessions=str(listed), dry_run=dry) for dry in (True, False)]
    dump = StringIO()
    call_command("dumpdata", stdout=dump)
    for place in (dump.getvalue(), *map(str, outcomes)):
        assert "ZEBRA" not in place
        assert "list.txt" not in place
    assert str(hospital) not in dump.getvalue(), "a folder may be named after a patient"
    params = Job.objects.get().params
    assert {**params, "order": ""} == {
        "collection": "hospital", "source": "a folder", "accession_numbers": 3, "first_date": "", "last_date": "",
        "annotations": [], "since_last": False, "documents": 0, "context": "30mm", "order": "",
        "dry_run": False,
    }  # fmt: skip
    kept = [path.name for path in harvesting.orders().iterdir()]
    assert kept == [".hospital.lock"], "a list is gone once it is worked off"


def test_a_dry_run_says_what_is_asked_for(hospital, listed):
    out = run(hospital, accessions=str(listed), first_date=date(2015, 1, 2), annotations="SR", dry_run=True)[1]
    asked = "From a folder: 3 accession numbers, studies from 2015-01-02, studies with SR; keeping 30mm on each side"
    assert asked in out


def test_a_worker_finds_the_order_by_its_name(hospital):
    order = Order(source=f"dir://{hospital}", collection="ours", title="Ours", accession_numbers=("ZEBRA1",))
    first = engine.enqueue(kind="harvest", params=harvesting.params_of(order))
    assert engine.enqueue(kind="harvest", params=harvesting.params_of(order)) == first, "equal orders are one"
    kept = harvesting.orders() / f"{first.params['order']}.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert harvesting.orders().stat().st_mode & 0o777 == 0o700
    engine.perform(first.pk)
    first.refresh_from_db()
    assert (first.state, first.result["lesions"]) == (Job.State.SUCCEEDED, 1)
    assert Collection.objects.get().title == "Ours"
    assert not kept.exists()


def test_an_order_is_kept_for_a_week_after_its_dry_run_and_no_longer(hospital, monkeypatch):
    order = Order(source=f"dir://{hospital}", collection="ours", accession_numbers=("ZEBRA1",))
    params = {**harvesting.params_of(order), "dry_run": True}
    kept = harvesting.orders() / f"{params['order']}.json"
    torn = harvesting.orders() / ".order-torn"
    torn.write_text("{")
    job = engine.enqueue(kind="harvest", params=params)
    long_ago = time.time() - 8 * 24 * 3600
    for path in (kept, torn):
        os.utime(path, (long_ago, long_ago))
    expiry.expire()
    assert (kept.exists(), torn.exists()) == (True, False), "the job waits"
    engine.perform(job.pk)
    expiry.expire()
    assert kept.exists(), "it can be done for real"
    monkeypatch.setattr(expiry, "KEPT_FOR", timedelta(0))
    expiry.expire()
    assert not kept.exists()


def test_an_order_stays_while_a_rehearsal_of_it_still_waits(hospital):
    order = Order(source=f"dir://{hospital}", collection="ours", accession_numbers=("ZEBRA1",))
    params = harvesting.params_of(order)
    kept = harvesting.orders() / f"{params['order']}.json"
    real, rehearsal = (engine.enqueue(kind="harvest", params={**params, "dry_run": dry}) for dry in (False, True))
    engine.perform(real.pk)
    assert kept.exists(), "the rehearsal has not read it yet"
    engine.perform(rehearsal.pk)
    for job in (real, rehearsal):
        job.refresh_from_db()
        assert (job.state, job.message) == (Job.State.SUCCEEDED, "")
    harvesting.let_go(params["order"])
    assert not kept.exists(), "nobody needs it any more"


def test_an_order_with_every_part_is_found_as_it_was(hospital, tmp_path):
    order = Order(
        source=f"dir://{hospital}",
        collection="ours",
        first_date=date(2015, 1, 1),
        last_date=date(2016, 1, 1),
        annotated_in=("PR", "SR"),
        since_last=True,
        documents=(tmp_path / "marks.csv",),
        context_mm=None,
    )
    assert find(harvesting.params_of(order)["order"], harvesting.orders()) == order


@pytest.mark.parametrize("name", ["0" * 64, "../identity_key", ""])
def test_an_order_that_is_not_kept_is_told_in_one_sentence(name):
    with pytest.raises(BadOrder, match="order it anew"):
        find(name, harvesting.orders())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"first_date": date(2016, 1, 1), "last_date": date(2015, 1, 1)}, "backwards"),
        ({"annotations": "SR,CT"}, "PR or SR, not CT"),
        ({"context": -1.0}, "30mm, or `series`"),
        ({"accessions": "/no/such/list"}, "cannot be read: No such file"),
        (
            {"documents": [Path("/no/such/marks.csv")]},
            "^/no/such/marks.csv: file 1 of those with annotations cannot be taken: No such file",
        ),
    ],
)
def test_an_order_that_makes_no_sense_is_told_in_one_sentence(hospital, options, words):
    with pytest.raises(CommandError, match=words):
        run(hospital, **options)
    assert Collection.objects.count() == 0


@pytest.mark.parametrize(
    ("source", "documents"),
    [
        ("dir:///srv/MUELLER^ANNA_19310215", ()),
        ("dir://MUELLER^ANNA_19310215", ()),
        ("dir:MUELLER^ANNA_19310215.zip", ()),
        ("dir:{}", (Path("MUELLER^ANNA_19310215.csv"),)),
    ],
)
def test_a_folder_or_file_that_is_not_there_is_named_in_the_terminal_alone(
    hospital, client, admin_user, monkeypatch, source, documents
):
    monkeypatch.chdir(hospital)
    Path("MUELLER^ANNA_19310215.zip").touch()
    with pytest.raises(CommandError, match="MUELLER") as told:
        harvest(source.format(hospital), documents=documents)
    assert not isinstance(told.value.__cause__, OSError)
    client.force_login(admin_user)
    shown = [client.get(page).content.decode() for page in ("/jobs/", "/jobs/1/", "/jobs/1/report/", "/api/v1/jobs/")]
    stored = [*Job.objects.values(), *JobEvent.objects.values()]
    assert "MUELLER" not in f"{shown}{stored}"
    assert Job.objects.get().message


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_names_that_are_no_text_are_printed_all_the_same(tmp_path, encoding):
    """A name in Latin-1, of the folder as of a file, to a terminal in another encoding."""
    folder = tmp_path / os.fsdecode(b"M\xfcller")
    study(folder, 1)
    (folder / "1" / "report0").rename(folder / "1" / os.fsdecode("Übersicht".encode("latin-1")))
    broken = folder / os.fsdecode(b"\xe4.dcm")
    broken.write_text("broken")
    printed, complained = BytesIO(), BytesIO()
    out = TextIOWrapper(printed, encoding, "strict", write_through=True)
    # As Python opens standard error, whatever it is told of the other.
    err = TextIOWrapper(complained, encoding, "backslashreplace", write_through=True)
    for dry_run in (True, False):
        with pytest.raises(SystemExit):
            call_command("harvest", f"dir://{folder}", dry_run=dry_run, stdout=out, stderr=err)
    out, err = (stream.getvalue().decode(encoding) for stream in (printed, complained))
    assert "bersicht: new, " in out
    assert r"\udce4.dcm: not a DICOM file" in err
    assert Lesion.objects.count() == 1


def two_patients(folder):
    """The third study names a second patient."""
    other = ct(SOPInstanceUID="1.2.840.77.3.1.2", StudyInstanceUID="1.2.840.77.3", AccessionNumber="ZEBRA3")
    other.PatientID = "other"
    save(other, folder / "3" / "other")


def everything(folder):
    return Order(source=f"dir://{folder}", collection="ours")


def test_a_harvest_in_the_terminal_names_the_study_that_failed(hospital):
    two_patients(hospital)
    status, _, err = run(hospital)
    assert status == 1
    place = r"^study \d of 3 \(StudyInstanceUID 1\.2\.840\.77\.3, accession number ZEBRA3\): its objects name several"
    assert re.search(place, err, re.MULTILINE)
    assert not list(harvesting.orders().glob("*.txt"))


def test_a_worker_s_harvest_names_the_study_that_failed_in_a_file_for_its_owner_alone(hospital, client, admin_user):
    two_patients(hospital)
    params = harvesting.params_of(everything(hospital))
    job = engine.enqueue(kind="harvest", params=params)
    engine.perform(job.pk)
    job.refresh_from_db()
    (written,) = harvesting.orders().glob("*.txt")
    assert written.stat().st_mode & 0o777 == 0o600
    assert "(StudyInstanceUID 1.2.840.77.3, accession number ZEBRA3): its objects" in written.read_text()
    assert not list(harvesting.orders().glob("*.json")), "the order itself is worked off"
    client.force_login(admin_user)
    page = client.get(f"/jobs/{job.pk}/report/").content.decode()
    named = f"harvests/{params['order']}.txt"
    assert f"<code>{named}</code>" in page
    assert f"is in {named} in" in "\n".join(Report.from_json(job.result).lines())
    seen = [page, *(client.get(each).content.decode() for each in (f"/jobs/{job.pk}/", "/api/v1/jobs/"))]
    assert not re.search(r"1\.2\.840\.77|ZEBRA", f"{seen}{[*Job.objects.values(), *JobEvent.objects.values()]}")
    expiry.expire()
    assert written.exists()
    (hospital / "3" / "other").unlink()
    engine.perform(engine.enqueue(kind="harvest", params=harvesting.params_of(everything(hospital))).pk)
    assert not list(harvesting.orders().glob("*.txt")), "it ended without problems"


def test_a_worker_s_harvest_that_stopped_says_where_as_well(hospital):
    with serving(lambda handler: send(handler, b"", "text/plain", 404)) as url:
        order = Order(source=f"dicomweb+{url}/dicom-web", collection="ours")
        job = engine.enqueue(kind="harvest", params=harvesting.params_of(order))
        engine.perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["errors"]) == (Job.State.FAILED, {"SourceNotFound": 1})
    written = harvesting.orders().parent / job.result["named_in"]
    assert written.read_text().startswith("the source: the server has no DICOMweb")


def test_where_problems_lie_is_kept_for_a_week_and_no_longer(hospital, monkeypatch):
    two_patients(hospital)
    engine.perform(engine.enqueue(kind="harvest", params=harvesting.params_of(everything(hospital))).pk)
    (written,) = harvesting.orders().glob("*.txt")
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(written, (long_ago, long_ago))
    expiry.expire()
    assert written.exists(), "a job had it lately"
    harvesting.params_of(everything(hospital))
    (anew,) = harvesting.orders().glob("*.json")
    monkeypatch.setattr(expiry, "KEPT_FOR", timedelta(minutes=1))
    monkeypatch.setattr(expiry, "after", lambda span: timezone.now())
    expiry.expire()
    assert anew.exists(), "the order was asked for anew"
    os.utime(anew, (long_ago, long_ago))
    expiry.expire()
    assert (anew.exists(), written.exists()) == (False, False)


@pytest.mark.parametrize(("text", "words"), [("\n \n", "no accession number"), ("A1\nA\x002\n", "entry 2")])
def test_a_list_that_is_none_is_told_without_repeating_it(text, words):
    with pytest.raises(BadOrder, match=words):
        accession_numbers(text.split("\n"))


def test_since_the_last_harvest_only_what_changed_is_looked_at(hospital):
    assert "3 studies" in run(hospital, since_last=True)[1], "nothing was harvested yet"
    assert "0 studies" in run(hospital, since_last=True)[1]
    again(hospital, 2, 1, StudyDate=DAYS[1])
    for dry_run in (True, False):
        assert (
            "1 study, 1 with bookmarks; 2 annotations, 1 of them known"
            in run(hospital, since_last=True, dry_run=dry_run)[1]
        ), "a dry run moves no mark"
    assert Annotation.objects.count() == 4
    assert "0 studies" in run(hospital, since_last=True)[1]
    assert "3 studies" in run(hospital, since_last=True, collection="other")[1], "each collection has its own marks"


def test_a_report_that_took_another_s_place_is_seen_although_the_number_of_objects_is_the_same(hospital):
    run(hospital)
    again(hospital, 2, 1, StudyDate=DAYS[1])
    (hospital / "2" / "report0").unlink()
    _, out, _ = run(hospital, since_last=True)
    assert "1 study, 1 with bookmarks; 1 annotation, 0 of them known" in out
    assert "2 studies are as they were at the last harvest." in out
    assert Annotation.objects.count() == 4, "what was harvested before stays"


def test_studies_of_images_alone_are_not_even_listed_again(hospital, monkeypatch):
    (hospital / "3" / "report0").unlink()
    run(hospital)
    listed = []
    instances = DirectorySource.instances
    monkeypatch.setattr(DirectorySource, "instances", lambda self, study: listed.append(1) or instances(self, study))
    assert "3 studies are as they were" in run(hospital, since_last=True)[1]
    assert len(listed) == 2


def test_a_study_with_something_left_to_try_is_looked_at_again(hospital):
    image = hospital / "2" / "image"
    whole = image.read_bytes()
    image.write_bytes(whole[:-1000])
    assert run(hospital)[0] == 1
    assert HarvestedStudy.objects.count() == 2
    image.write_bytes(whole)
    assert "1 study" in run(hospital, since_last=True)[1]
    assert sorted(Annotation.objects.values_list("reason", flat=True)) == ["", "", ""]


def test_a_document_that_grew_is_looked_at_although_its_study_did_not_change(hospital, tmp_path):
    run(hospital)
    export = tmp_path / "marks.csv"
    export.write_text("accession_number,tool,x1,y1,z1,x2,y2,z2\nZEBRA1,line,0,0,0,9,9,0\n")
    _, out, err = run(hospital, since_last=True, documents=[export])
    assert "1 study, 1 with bookmarks; 2 annotations, 1 of them known" in out, err


def test_a_dry_run_is_a_job_that_takes_nothing_and_keeps_its_order_for_the_harvest(hospital):
    order = Order(source=f"dir://{hospital}", collection="hospital", accession_numbers=("ZEBRA1", "ZEBRA2"))
    params = harvesting.params_of(order)
    rehearsal = engine.enqueue(kind="harvest", params={**params, "dry_run": True})
    engine.perform(rehearsal.pk)
    rehearsal.refresh_from_db()
    assert (rehearsal.state, rehearsal.result["lesions"]) == ("succeeded", 2)
    assert not Lesion.objects.exists()
    assert not Collection.objects.exists()
    made = engine.enqueue(kind="harvest", params={**params, "dry_run": False})
    engine.perform(made.pk)
    made.refresh_from_db()
    assert (made.state, made.result["lesions"], Lesion.objects.count()) == ("succeeded", 2, 2)


def test_a_harvest_is_cancelled_while_it_curates_and_the_next_one_curates_the_rest(tmp_path, monkeypatch):
    for number in (1, 2):
        study(tmp_path / "pacs", number, marks=2)
    params = harvesting.params_of(Order(source=f"dir://{tmp_path / 'pacs'}", collection="hospital"))
    first = engine.enqueue(kind="harvest", params=params)
    original, tidied = curate.tidy, []

    def tidy(series, limits):
        tidied.append(series)
        engine.cancel(first.pk)
        return original(series, limits)

    with monkeypatch.context() as patch:
        patch.setattr(curate, "tidy", tidy)
        patch.setattr("workers.engine.attempt.CHECK_EVERY_S", 0.0)
        engine.perform(first.pk)
    first.refresh_from_db()
    assert (first.state, len(tidied)) == ("cancelled", 1)
    merged = Lesion.objects.exclude(merged_into=None).count()
    assert merged == 2, "what was curated before is kept"
    second = engine.enqueue(kind="harvest", params=params)
    engine.perform(second.pk)
    second.refresh_from_db()
    assert (second.state, second.result["lesions"], second.result["curated"]["merged"]) == ("succeeded", 0, 2)


def test_a_harvest_waits_for_another_into_the_same_collection_and_can_be_cancelled_meanwhile(hospital):
    class GivenUp(Rehearsal):
        def check_cancelled(self):
            raise Cancelled

    def order(collection):
        return Order(source=f"dir://{hospital}", collection=collection)

    harvesting.params_of(order("hospital"))
    given_up = GivenUp(lambda done, total, unit: None)
    with alone_in(harvesting.orders() / ".hospital.lock"):
        with pytest.raises(Cancelled):
            harvesting.harvest_now(order("hospital"), given_up)
        assert not Collection.objects.exists(), "it had not begun"
        watched = Rehearsal(lambda done, total, unit: None)
        assert harvesting.harvest_now(order("hospital"), watched, dry_run=True).lesions == 3
        assert harvesting.harvest_now(order("other"), watched).lesions == 3
    assert harvesting.harvest_now(order("hospital"), watched).lesions == 3
    assert older_than(-timedelta(days=1), harvesting.orders()) == [harvesting.name_of(order("hospital"))]
