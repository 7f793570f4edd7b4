"""What comes from a server, checked against what it promised: complete lists, and the objects that were listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import sub
from types import MappingProxyType

from pydicom.dataset import Dataset

from datasets.pacs import deidentify
from datasets.pacs.instance import Header, IncompleteHeader, Instance, facts_of, from_dataset, value_of
from datasets.pacs.series import CT_IMAGE
from datasets.pacs.source import Contradiction, Problem, Study, TruncatedAnswer, Unreadable, by_series

NEEDED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImageType")
"""What every CT slice states. Where a list lacks it, the server leaves out what it was asked for."""

TELLING = ("SOPClassUID", "ImageType", "BurnedInAnnotation")
"""What says that an image must not be taken."""


PLACING = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
"""What decides on which slice a mark lies, and how large it is."""

EMPTY: Mapping[str, str] = MappingProxyType({})

SAME = 1e-3
"""Servers may round what they list."""


def headers_missing(listed: Iterable[Header]) -> list[str]:
    """The series of CT slices for which a list is not complete."""
    return sorted(
        {
            str(value_of(each, "SeriesInstanceUID"))
            for each in listed
            if value_of(each, "SOPClassUID") == CT_IMAGE and any(value_of(each, key) is None for key in NEEDED)
        }
    )


def instances_of(
    listed: Iterable[Header], study: Study, problems: list[Problem], modalities: Mapping[str, str] = EMPTY
) -> list[Instance]:
    """Order what a server lists of a study.

    Parameters
    ----------
    modalities : by SeriesInstanceUID, for objects whose own entries state none: Modality belongs to the series.

    Raises
    ------
    TruncatedAnswer : it is less than the server says that the study holds. On part of a series, slices would get
        numbers that they lose when the rest arrives.
    """
    found: dict[str, Instance] = {}
    listed = list(listed)
    for each in listed:
        uid = str(value_of(each, "SOPInstanceUID") or "")
        try:
            instance = from_dataset(each, locator=f"{study.StudyInstanceUID}/{uid}")
        except IncompleteHeader as error:
            problems.append(Problem(f"{study.StudyInstanceUID}/{uid}", str(error)))
            continue
        if not instance.Modality:
            instance = replace(instance, Modality=modalities.get(instance.SeriesInstanceUID, ""))
        found.setdefault(instance.SOPInstanceUID, instance)
    if len(listed) < study.NumberOfStudyRelatedInstances:
        raise TruncatedAnswer(
            f"the server lists {len(listed)} of the {study.NumberOfStudyRelatedInstances} objects of the study"
        )
    return by_series(found.values())


def checked(dataset: Dataset, instance: Instance) -> Dataset:
    """Give an object back if it is the one that was listed, and may be taken.

    Lists leave elements out; that an image carries burned-in text must be known before its pixels are used.

    Raises
    ------
    Unreadable
    """
    if facts_of(dataset, ["SOPInstanceUID"])["SOPInstanceUID"] != instance.SOPInstanceUID:
        raise Unreadable("the server gave another object for it, or part of one")
    for keyword, arrived in facts_of(dataset, PLACING).items():
        listed = getattr(instance, keyword)
        if listed and (len(listed) != len(arrived) or max(map(abs, map(sub, listed, arrived))) > SAME):
            raise Unreadable.because(Contradiction(f"the server lists another {keyword} for it than it states itself"))
    if value_of(dataset, "Rows") and (refusal := deidentify.refusal(replace(instance, **facts_of(dataset, TELLING)))):
        raise Unreadable(refusal)
    return dataset


def whole(read: Callable[[Instance], Dataset]) -> Callable[[Instance], Dataset | Unreadable]:
    """The same reader, with what cannot be read as its result."""

    def attempt(instance: Instance) -> Dataset | Unreadable:
        try:
            return read(instance)
        except Unreadable as error:
            return error

    return attempt
