"""De-identification by allow-list: what may leave a header, which images are refused, and keyed pseudonyms.

Nothing is removed from a DICOM file here; fresh records are built from the few values named below, and each value
must be of the form that it should have. Free text never passes.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from datasets.pacs.instance import Instance

OLDEST = 90
"""Ages over 89 become 90: older people are too few to hide among."""

KEY_BYTES = 32

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

PATIENT_POSITIONS = frozenset({"HFP", "HFS", "HFDR", "HFDL", "FFDR", "FFDL", "FFP", "FFS"})

MODALITIES = frozenset(["CT", "MR", "PT", "NM", "CR", "DX", "US", "MG", "XA", "RF", "OT", "SC", "ES", "SM", "OP"])

KERNEL = re.compile(
    r"""
    [A-Z][a-z]?\d{2,3}[a-z]{0,2}(\\\d)?                           # Siemens: B30f, Br40d, I31f\3
    | FC\d{2}[A-Z]?                                               # Canon
    | [A-EL] | [UY][A-D]                                          # Philips
    | (HD\s?)?(STANDARD|STND|SOFT|DETAIL|BONE|BONEPLUS|EDGE|ULTRA|LUNG|CHEST)(\s?PLUS)?     # GE
    """,
    re.VERBOSE | re.ASCII,
)
"""Reconstruction kernels by their makers' naming; the element is free text, so all else stays out."""


class KeyUnusable(Exception):
    """The key for pseudonyms cannot be read or written, or is no key; one sentence."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What may be kept of a patient at one study."""

    sex: str
    """F, M or nothing."""
    age: int | None
    """Whole years, 90 for all over 89."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What may be kept of an image."""

    rows: int
    columns: int
    spacing: tuple[float, float] | None
    """Mm per pixel along x and y."""
    thickness: float | None
    """SliceThickness in mm."""
    kernel: str
    kvp: float | None
    window: tuple[float, float] | None
    """Low and high end in HU."""
    patient_position: str
    lossy: bool
    """The image went through lossy compression at some time."""


def patient_facts(instance: Instance) -> PatientFacts:
    """Sex and age from any object of a study."""
    sex = instance.PatientSex.upper()
    return PatientFacts(sex=sex if sex in ("F", "M") else "", age=_age(instance))


def image_facts(instance: Instance) -> ImageFacts:
    """The allowed facts of one image."""
    spacing = instance.PixelSpacing
    kernel = "\\".join(instance.ConvolutionKernel)
    return ImageFacts(
        rows=instance.Rows or 0,
        columns=instance.Columns or 0,
        spacing=(spacing[1], spacing[0]) if len(spacing) == 2 and min(spacing) > 0 else None,
        thickness=_positive(instance.SliceThickness),
        kernel=kernel if KERNEL.fullmatch(kernel) else "",
        kvp=_positive(instance.KVP),
        window=_window(instance),
        patient_position=instance.PatientPosition if instance.PatientPosition in PATIENT_POSITIONS else "",
        lossy=instance.LossyImageCompression == "01",
    )


def refusal(instance: Instance) -> str:
    """Why an image must not be taken, "" where nothing speaks against it."""
    if instance.BurnedInAnnotation.upper() == "YES":
        return "its pixels carry burned-in text"
    if instance.SOPClassUID.startswith(SECONDARY_CAPTURE):
        return "it is a secondary capture"
    kind = tuple(part.upper() for part in instance.ImageType)
    if "SCREEN SAVE" in kind:
        return "it is a screen save"
    if kind[:2] == ("DERIVED", "SECONDARY") and os.environ.get("TAKE_DERIVED_IMAGES") != "1":
        return "it is a secondary image derived from others"
    return ""


def modality(text: str) -> str:
    """The modality of an image, "" where the element says something else: it is text, and may hold any."""
    return text if text in MODALITIES else ""


def date_of(text: str) -> date | None:
    """Read a DICOM date; None where it is none. Only distances in days between dates may be kept."""
    try:
        return datetime.strptime(text.replace(".", ""), "%Y%m%d").date()
    except ValueError:
        return None


class Pseudonymiser:
    """Keyed hashes in place of identifiers: without the key they say nothing, with it they are always the same."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeyUnusable(f"a key for pseudonyms has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    def digest(self, level: str, *values: str) -> str:
        """HMAC-SHA256 of the values as 64 hexadecimal digits.

        `level` (patient, study ...) keeps equal values of different kinds apart; lengths are hashed along, so that
        ("ab", "c") and ("a", "bc") differ.
        """
        # A folder's name need not be text, nor what a server says in JSON.
        parts = [value.encode("utf-8", "surrogatepass") for value in (level, *values)]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    def patient(self, patient_id: str, issuer: str, study_uid: str) -> str:
        """The patient, by PatientID qualified by its issuer; without a PatientID each study is its own patient."""
        if not patient_id:
            return self.digest("patient of study", study_uid)
        return self.digest("patient", issuer, patient_id)


def load_or_create_key(path: Path) -> bytes:
    """Read the key from its file; make both on first use, for the owner's eyes alone.

    Raises
    ------
    KeyUnusable : the file cannot be read or written, can be read by others, or holds no key.
    """
    try:
        if not path.exists():
            _create_key(path)
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"the key file {path} can be read by others; its rights must be 0600")
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise KeyUnusable(f"the key file {path} cannot be used: {cause}") from None
    return parse_key(text)


def parse_key(text: str) -> bytes:
    """Take a key from its 64 hexadecimal digits.

    Raises
    ------
    KeyUnusable : it is something else; the message does not repeat it.
    """
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"a key for pseudonyms is {2 * KEY_BYTES} hexadecimal digits")
    return key


def _create_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and then linked: of two processes that start together, one wins and both read the same key.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)


def _age(instance: Instance) -> int | None:
    match = re.fullmatch(r"(\d{1,3})([DWMY])", instance.PatientAge.upper())
    if match:
        years = int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]]
        return min(int(years), OLDEST)
    born, seen = date_of(instance.PatientBirthDate), date_of(instance.StudyDate)
    if born is None or seen is None or seen < born:
        return None
    return min(seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day)), OLDEST)


def _window(instance: Instance) -> tuple[float, float] | None:
    if not instance.WindowCenter or not instance.WindowWidth:
        return None
    center, width = instance.WindowCenter[0], instance.WindowWidth[0]
    if not (abs(center) <= 65536 and 0 < width <= 65536):
        return None
    return center - width / 2, center + width / 2


def _positive(value: float | None) -> float | None:
    return value if value is not None and 0 < value < float("inf") else None
