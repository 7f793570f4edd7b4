"""Nothing that could name a patient leaves the PACS: marked words, numbers and dates are looked for everywhere.

Every element of every object that can hold text holds a word, every identifier a number and every day a date that
occur nowhere else; so do texts, codes and names inside the reports, private elements and what precedes a file's data.
"""

import io
import logging
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, GrayscaleSoftcopyPresentationStateStorage, MRImageStorage
from pytest_django import Settings

from datasets.models import Annotation, Lesion, Release, SourceIdentity
from tests.datasets.pacs.archive import store_files, web
from tests.datasets.pacs.dicom_files import (
    GROUP,
    LONG,
    SHORT,
    axis,
    bidimensional,
    code,
    content,
    ct_series,
    identifier,
    image,
    report,
    save,
    text,
)
from tests.datasets.pacs.test_presentation import annotation, graphic, words
from tests.factories import make_user
from tests.peers.orthanc import Orthanc

pytestmark = pytest.mark.django_db

WORD, NUMBER, DAY, BORN = "ZEBRA", "424242424242", "19870613", "19310215"
LABEL = "F4711"
"""A patient's number that looks like a bookmark's or a follow-up set's."""

MARKED = (WORD, NUMBER, DAY, BORN, "1987-06-13", "1931-02-15", "13 June 1987")

TEXTS = {"CS": 16, "SH": 16, "AE": 16, "LO": 64, "PN": 64, "ST": 1024, "LT": 1024, "UC": 1024, "UT": 1024, "UR": 1024}
"""Value representations that can hold text, with the longest."""

STRUCTURE = {
    "SpecificCharacterSet", "Modality", "ImageType", "PhotometricInterpretation", "RescaleType", "ValueType",
    "GraphicType", "GraphicAnnotationUnits", "RelationshipType", "ContinuityOfContent",
}  # fmt: skip
"""What an object is read by; with a word in these it is no CT image and no report."""

STUDY, FRAME = f"1.2.{NUMBER}.1", f"1.2.{NUMBER}.9"


def filled(dataset: Dataset, deep: bool = True) -> Dataset:
    """Put the marks into every element that can hold them and that the object can be read without."""
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        group = tag >> 16
        if group < 8 or not keyword or keyword in STRUCTURE or keyword_for_tag(tag) != keyword:
            continue
        if vr in TEXTS:
            dataset.add_new(tag, vr, f"{WORD}_{keyword.upper()}"[: TEXTS[vr]])
        elif vr == "UI" and tag not in dataset:
            dataset.add_new(tag, vr, f"1.2.{NUMBER}.77")
        elif vr in ("DA", "DT"):
            dataset.add_new(tag, vr, BORN if "Birth" in keyword else DAY)
    private = dataset.private_block(0x0099, WORD, create=True)
    private.add_new(1, "LO", WORD)
    private.add_new(2, "UT", WORD)
    private.add_new(3, "OB", f"{WORD} {NUMBER}".encode())
    private.add_new(4, "SQ", [filled(Dataset(), deep=False)] if deep else [])
    if deep:
        for keyword in ("OtherPatientIDsSequence", "RequestAttributesSequence", "IssuerOfPatientIDQualifiersSequence"):
            setattr(dataset, keyword, Items([filled(Dataset(), deep=False)]))
        dataset.preamble = f"{WORD} {NUMBER} {DAY} {BORN}".encode().ljust(128, b"\0")
        dataset.file_meta.SourceApplicationEntityTitle = WORD
        dataset.file_meta.PrivateInformationCreatorUID = f"1.2.{NUMBER}.5"
        dataset.file_meta.PrivateInformation = f"{WORD} {NUMBER}".encode()
    return dataset


def slices(series: str, **changes: object) -> Iterator[Dataset]:
    """Three marked slices of one series."""
    for number, plain in enumerate(ct_series(3, StudyInstanceUID=STUDY, SeriesInstanceUID=series)):
        plain.SOPInstanceUID = f"{series}.{number}"
        plain.FrameOfReferenceUID = FRAME
        for keyword, value in changes.items():
            setattr(plain, keyword, value)
        kept = {each: plain.get(each) for each in ("PatientSex", "BodyPartExamined")}
        whole = filled(plain)
        whole.PatientAge = "056Y"
        for keyword, value in kept.items():
            if value is not None:
                setattr(whole, keyword, value)
        yield whole


def spoken(uid: str, label: str) -> Dataset:
    """A measurement with marks in whatever a report says beside its numbers."""
    site = content("CODE", code("363698007", "SCT", "Finding Site"))
    site.ConceptCodeSequence = code(WORD, WORD, f"{WORD} lung")
    finding = content("CODE", code("121071", "DCM", f"{WORD}"))
    finding.ConceptCodeSequence = code("M-01000", "SRT", f"{WORD} mass")
    person = content("PNAME", code("121008", "DCM", "Person Observer Name"))
    person.PersonName = f"{WORD}^Anna"
    day = content("DATE", code("111060", "DCM", "Study Date"))
    day.Date = DAY
    tracked = content("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"))
    tracked.UID = f"1.2.{NUMBER}.{len(label)}"
    comment = text(code("121106", "DCM", "Comment"), f"{WORD} {LABEL} {NUMBER} born {BORN}, ward B 4711")
    return bidimensional(uid, identifier(f"{WORD} {label}"), site, finding, person, day, tracked, comment)


def marked_report(number: int, *groups: Dataset, **changes: object) -> Dataset:
    values = {"SOPInstanceUID": f"1.2.{NUMBER}.8.{number}", "StudyInstanceUID": STUDY, **changes}
    kept = report(*groups, **values)
    sop_class = kept.SOPClassUID
    whole = filled(kept)
    whole.SOPClassUID, whole.ConceptNameCodeSequence = sop_class, code("126000", "DCM", WORD)
    return whole


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """A hospital whose every object is marked, and not every one of which is sound."""
    folder = tmp_path / "pacs"
    first, second = f"1.2.{NUMBER}.2", f"1.2.{NUMBER}.3"
    for number, each in enumerate(slices(first)):
        save(each, folder / f"a{number}")
    for number, each in enumerate(slices(second)):
        if number == 1:
            each.PixelData = each.PixelData[:1000]
        save(each, folder / f"b{number}")
    key = f"{first}.1"
    save(marked_report(1, spoken(key, "B01 F02")), folder / "report")
    save(marked_report(2, spoken(key, "B01 F02"), spoken(f"{second}.1", "B02")), folder / "again-and-truncated")
    save(marked_report(3, spoken(f"1.2.{NUMBER}.404", "B03")), folder / "no-image")
    line = content("CONTAINER", GROUP, text(code(WORD, WORD, WORD), WORD), axis(LONG, (1.5, 1.5, 9.5, 9.5), key))
    save(marked_report(4, line), folder / "line")
    wrong = content("CONTAINER", GROUP, content(WORD, code(WORD, WORD, WORD), image(key)), spoken(key, WORD))
    wrong.ContentSequence[0].GraphicData = [1.0]
    save(marked_report(5, wrong), folder / "nonsense")
    save(marked_report(6, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"), folder / "basic-text")
    save(presentation(key), folder / "presentation")
    for number, sop_class in enumerate((MRImageStorage, CTImageStorage), start=8):
        # Its Modality, which is text, says that it is no CT image.
        other = next(slices(f"1.2.{NUMBER}.{number}", Modality=f"{WORD}^ANNA {number}"))
        other.SOPClassUID, other.FrameOfReferenceUID = sop_class, f"{FRAME}.{number}"
        save(other, folder / f"other-{number}")
        drawn = content(
            "CONTAINER", GROUP, axis(LONG, (1, 5, 0, 9, 5, 0), None), axis(SHORT, (5, 1, 0, 5, 8, 0), None)
        )
        for child in drawn.ContentSequence:
            child.ContentSequence[0].ReferencedFrameOfReferenceUID = other.FrameOfReferenceUID
        save(marked_report(number, spoken(other.SOPInstanceUID, "B04"), drawn), folder / f"other-{number}-marked")
    whole = (folder / "report").read_bytes()
    (folder / "cut").write_bytes(whole[: len(whole) // 2])
    (folder / "notes").write_text(f"{WORD} {NUMBER} {BORN}")
    return folder


def presentation(uid: str) -> Dataset:
    """A presentation state with lines and words."""
    state = Dataset()
    state.file_meta = FileMetaDataset()
    state.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    state.Modality = "PR"
    filled(state)
    state.SOPClassUID, state.SOPInstanceUID = GrayscaleSoftcopyPresentationStateStorage, f"1.2.{NUMBER}.8.7"
    state.StudyInstanceUID, state.SeriesInstanceUID = STUDY, f"1.2.{NUMBER}.8"
    lines = graphic((40.5, 10.5, 60.5, 10.5)), graphic((50.5, 5.5, 50.5, 15.5))
    state.GraphicAnnotationSequence = [annotation(*lines, images=(uid,), texts=[words(f"{WORD} {LABEL} {NUMBER}")])]
    return state


def assert_clean(place: str, said: bytes | str) -> None:
    text_ = said if isinstance(said, str) else said.decode("latin-1")
    found = [mark for mark in MARKED if mark.lower() in text_.lower()]
    assert not found, (
        f"{place} holds {found[0]}: ...{text_[max(0, text_.lower().index(found[0].lower()) - 80) :][:200]}"
    )


def rows() -> Iterator[tuple[str, str]]:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield table, repr(row)


def pages(client: Client) -> Iterator[tuple[str, bytes]]:
    """All that can be reached by following addresses, pages and API alike, one of each kind and ten more."""
    waiting, seen = (
        ["/", "/review/", "/jobs/", "/audit/", "/people/", "/api/v1/", "/api/v1/schema/", "/nowhere/"],
        set(),
    )
    kinds: dict[str, int] = {}
    while waiting:
        address = waiting.pop(0)
        kind = re.sub(r"=[^&]*|\d+", "=", address)
        kinds[kind] = kinds.get(kind, 0) + 1
        if address in seen or kinds[kind] > 10 or address.startswith(("/static/", "/logout")):
            continue
        seen.add(address)
        answer = client.get(address)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        yield address, body + repr(sorted(answer.items())).encode()
        kind_ = answer.get("Content-Type", "")
        if "html" in kind_:
            waiting += [unescape(each) for each in re.findall(r'(?:href|src|hx-get)="(/[^"#]*)', body.decode())]
        elif "json" in kind_:
            waiting += re.findall(r'"(?:http://testserver)(/[^"]*)"', body.decode())


def assert_stored_clean(*folders: Path) -> None:
    """Look through the whole database and through every file."""
    for table, row in rows():
        if table != SourceIdentity._meta.db_table:
            assert_clean(table, row)
        else:
            assert WORD not in row
            assert NUMBER not in row
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".png" for path in written) > 2
    for path in written:
        assert_clean(path.name, path.read_bytes())


@pytest.fixture
def own_data(settings: Settings, tmp_path: Path) -> Path:
    """An empty folder for what is harvested."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    return settings.DATA_DIR


def test_nothing_that_names_a_patient_comes_from_a_live_pacs(
    hospital: Path, own_data: Path, orthanc: Orthanc, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    caplog.set_level(logging.INFO)
    store_files(orthanc, (hospital / name for name in ("a0", "a1", "a2", "b0", "b1", "b2", "report", "no-image")))
    store_files(orthanc, (hospital / name for name in ("again-and-truncated", "line", "nonsense", "presentation")))
    numbers = own_data.parent / "numbers.txt"
    numbers.write_text(f"{WORD}_ACCESSIONNUMBER"[:16] + f"\n{NUMBER}\n")
    out, err = io.StringIO(), io.StringIO()
    for dry_run in (True, False, False):
        with pytest.raises(SystemExit):
            call_command("harvest", web(orthanc), accessions=str(numbers), dry_run=dry_run, stdout=out, stderr=err)
    assert Lesion.objects.count() == 2
    # The terminal of the one who asks names studies of the PACS, so that they are found there.
    assert_clean("the terminal", (out.getvalue() + err.getvalue()).replace(f"1.2.{NUMBER}", "1.2"))
    assert_clean("the log", caplog.text)
    assert_stored_clean(own_data)


def test_nothing_that_names_a_patient_is_found_anywhere_afterwards(
    hospital: Path, tmp_path: Path, own_data: Path, caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    with pytest.raises(AssertionError, match="ZEBRA"):
        assert_clean("the PACS", (hospital / "a0").read_bytes())
    caplog.set_level(logging.DEBUG)
    out, err = io.StringIO(), io.StringIO()
    for dry_run in (True, False, False):
        with pytest.raises(SystemExit):
            call_command("harvest", f"dir://{hospital}", dry_run=dry_run, stdout=out, stderr=err)
    assert Lesion.objects.count() == 2, "a report's and a presentation state's"
    reasons = set(Annotation.objects.values_list("reason", flat=True))
    assert {"", "saved_again", "unresolved_image", "undecodable", "not_recist", "unsupported_object"} <= reasons
    assert Annotation.objects.filter(reason="other_modality", modality="").count() == 4
    assert set(Annotation.objects.values_list("label", "follow_up")) == {("", "")}, f"{LABEL} in texts is no number"
    Lesion.objects.update(possibly_noisy=True)
    call_command("release", "create", "r", split="100/0/0", stdout=out)
    call_command("release", "export", "r", out=tmp_path / "out", stdout=out)
    assert Release.objects.get().members.count() == 2

    assert_clean("the terminal", out.getvalue() + err.getvalue())
    assert_clean("the log", caplog.text)
    assert_stored_clean(own_data, tmp_path / "out")
    client.force_login(make_user(is_superuser=True, is_staff=True))
    client.post("/releases/r/agreement/", {"full_name": "Ada Long", "institution": "Institute", "agrees": "on"})
    addresses = set()
    for address, body in pages(client):
        addresses.add(address.split("?")[0])
        assert_clean(address, body)
    lesion = Lesion.objects.first()
    expected = {"/lesions/", f"/lesions/{lesion.pk}/", "/releases/r/", "/jobs/", "/statistics/", "/api/v1/lesions/"}
    # Files of a release are stored in its archive as they are, so that looking at its bytes is enough.
    expected.add("/releases/r/archive.zip")
    assert expected <= addresses
    assert any(address.startswith("/slices/") for address in addresses)
