"""What comes from a server, checked against what it promised: complete lists, and the objects that were listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from pydicom.dataset import Dataset

from datasets.pacs import deidentify
from datasets.pacs.copies import PLACING, differ, one_of
from datasets.pacs.instance import Header, IncompleteHeader, Instance, facts_of, from_dataset, value_of
from datasets.pacs.series import CT_IMAGE
from datasets.pacs.source import Contradiction, Problem, Study, TruncatedAnswer, Unreadable, by_series

NEEDED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImageType")
"""What every CT slice states. Where a list lacks it, the server leaves out what it was asked for."""

TELLING = ("SOPClassUID", "ImageType", "BurnedInAnnotation")
"""What says that an image must not be taken."""

EMPTY: Mapping[str, str] = MappingProxyType({})


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
    found: dict[str, list[Instance]] = {}
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
        found.setdefault(instance.SOPInstanceUID, []).append(instance)
    if len(listed) < study.NumberOfStudyRelatedInstances:
        raise TruncatedAnswer(
            f"the server lists {len(listed)} of the {study.NumberOfStudyRelatedInstances} objects of the study"
        )
    return told(map(one_of, found.values()), problems)


def told(instances: Iterable[Instance], problems: list[Problem]) -> list[Instance]:
    """Order instances as every source lists them, and tell once of each series in which some are contested."""
    ordered = by_series(instances)
    contested: dict[str, list[Instance]] = {}
    for each in ordered:
        if each.contested:
            contested.setdefault(each.SeriesInstanceUID, []).append(each)
    for each, *others in contested.values():
        more = f", as have {len(others)} more of its series" if others else ""
        sentence = f"it has the SOPInstanceUID of an object elsewhere{more}; marks on it are refused"
        problem = Problem(each.locator, sentence, Contradiction)
        problems += [problem] if problem not in problems else []
    return ordered


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
        if listed and differ(listed, arrived):
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
