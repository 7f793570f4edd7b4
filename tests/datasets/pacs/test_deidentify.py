"""Only what the allow-list names leaves a header, and only in the form that it should have."""

import os
import stat
from dataclasses import astuple
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pacs import deidentify
from datasets.pacs.deidentify import KeyUnusable, Pseudonymiser, load_or_create_key, parse_key
from tests.datasets.pacs.dicom_files import ct, facts

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("changes", "age"),
    [
        ({"PatientAge": "062Y"}, 62),
        ({"PatientAge": "094Y"}, 90),
        ({"PatientAge": "090Y"}, 90),
        ({"PatientAge": "018M"}, 1),
        ({"PatientAge": "010D"}, 0),
        ({"PatientAge": None, "PatientBirthDate": "19530421"}, 61),
        ({"PatientAge": None, "PatientBirthDate": "19530420"}, 62),
        ({"PatientAge": None, "PatientBirthDate": "19000101"}, 90),
        ({"PatientAge": None}, None),
        ({"PatientAge": "CANARY"}, None),
    ],
)
def test_age_in_years_and_none_above_ninety(changes: dict[str, str], age: int | None) -> None:
    assert deidentify.patient_facts(facts(ct(**changes))[0]).age == age


@pytest.mark.parametrize(("stated", "kept"), [("F", "F"), ("m", "M"), ("O", ""), ("CANARY", ""), (None, "")])
def test_sex(stated: str | None, kept: str) -> None:
    assert deidentify.patient_facts(facts(ct(PatientSex=stated))[0]).sex == kept


@pytest.mark.parametrize(
    "kernel", ["B30f", "Br40d", ["I31f", "3"], "FC08", "STANDARD", "BONEPLUS", "B", "YA", "LUNG", "H60s"]
)
def test_the_makers_kernels_are_kept(kernel: str | list[str]) -> None:
    kept = deidentify.image_facts(facts(ct(ConvolutionKernel=kernel))[0]).kernel
    assert kept == ("\\".join(kernel) if isinstance(kernel, list) else kernel)


def test_free_text_in_any_allowed_element_stays_out() -> None:
    canary = "CANARY^Anna"
    hidden = ct(
        ConvolutionKernel=canary, PatientPosition="CANARY", PatientSex="CANARY", PatientAge="CANARY",
        BurnedInAnnotation="CANARY", LossyImageCompression="CANARY", ImageType=[canary, canary],
        PatientName=canary, PatientID=canary, StudyDescription=canary,
    )  # fmt: skip
    (instance,) = facts(hidden)
    kept = repr((astuple(deidentify.patient_facts(instance)), astuple(deidentify.image_facts(instance))))
    assert "CANARY" not in kept.upper()
    assert "CANARY" not in deidentify.refusal(instance)


def test_image_facts() -> None:
    (instance,) = facts(
        ct(
            PixelSpacing=[0.7, 0.5],
            WindowCenter=[40, -600],
            WindowWidth=[400, 1500],
            KVP=120,
            PatientPosition="FFS",
            LossyImageCompression="01",
        )
    )
    kept = deidentify.image_facts(instance)
    assert (kept.spacing, kept.window, kept.kvp) == ((0.5, 0.7), (-160, 240), 120)
    assert (kept.rows, kept.columns, kept.thickness, kept.patient_position, kept.lossy) == (48, 64, 5, "FFS", True)


@pytest.mark.parametrize("window", [{"WindowCenter": 40}, {"WindowCenter": 40, "WindowWidth": 0}, {"WindowWidth": 9}])
def test_half_a_window_is_none(window: dict[str, float]) -> None:
    assert deidentify.image_facts(facts(ct(**window))[0]).window is None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"BurnedInAnnotation": "NO"}, False),
        ({"BurnedInAnnotation": "YES"}, True),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, True),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, False),
        ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}, True),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "SCREEN SAVE"]}, True),
        ({"ImageType": None}, False),
    ],
)
def test_images_that_may_show_text_are_refused(changes: dict[str, object], refused: bool) -> None:
    assert bool(deidentify.refusal(facts(ct(**changes))[0])) is refused


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}, False),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, True),
        ({"ImageType": ["DERIVED", "SECONDARY"], "BurnedInAnnotation": "YES"}, True),
        ({"ImageType": ["DERIVED", "SECONDARY"], "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, True),
    ],
)
def test_derived_images_are_taken_only_where_that_is_set_and_nothing_else_speaks_against_them(
    changes: dict[str, object], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (instance,) = facts(ct(**changes))
    for setting in ("", "0", "yes"):
        monkeypatch.setenv("TAKE_DERIVED_IMAGES", setting)
        assert deidentify.refusal(instance)
    monkeypatch.setenv("TAKE_DERIVED_IMAGES", "1")
    assert bool(deidentify.refusal(instance)) is refused


@pytest.mark.parametrize(
    ("text", "day"),
    [("20150420", date(2015, 4, 20)), ("2015.04.20", date(2015, 4, 20)), ("", None), ("20151340", None), ("x", None)],
)
def test_dates(text: str, day: date | None) -> None:
    assert deidentify.date_of(text) == day


def test_the_same_key_gives_the_same_pseudonym_and_another_key_another() -> None:
    first, again, other = Pseudonymiser(KEY), Pseudonymiser(KEY), Pseudonymiser(KEY[::-1])
    assert first.patient("4711", "A", "1.2") == again.patient("4711", "A", "1.9")
    assert first.patient("4711", "A", "1.2") != other.patient("4711", "A", "1.2")
    assert first.patient("4711", "A", "1.2") != first.patient("4711", "B", "1.2")


def test_patients_without_an_id_are_not_one_person() -> None:
    pseudonymiser = Pseudonymiser(KEY)
    assert pseudonymiser.patient("", "A", "1.2") != pseudonymiser.patient("", "A", "1.3")


values = st.lists(st.text(max_size=5), min_size=1, max_size=4)


@given(values, values)
def test_different_values_never_share_a_pseudonym(first: list[str], second: list[str]) -> None:
    pseudonymiser = Pseudonymiser(KEY)
    assert (pseudonymiser.digest(*first) == pseudonymiser.digest(*second)) == (first == second)


def test_the_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "pseudonym.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key == parse_key(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["pseudonym.key"]
    assert load_or_create_key(tmp_path / "other.key") != key


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    load_or_create_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="0600"):
        load_or_create_key(path)
    path.chmod(0o600)
    path.write_text("secret words")
    with pytest.raises(KeyUnusable, match="64 hexadecimal digits") as refused:
        load_or_create_key(path)
    assert "secret" not in str(refused.value)
    with pytest.raises(KeyUnusable, match="directory"):
        load_or_create_key(tmp_path)
