"""What a DIMSE server can do wrong: each has its name in the harvest's report, and the other studies go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core.management import CommandError
from pydicom.dataset import Dataset
from pynetdicom import evt

from datasets.models import Lesion
from tests.datasets.pacs.test_dimse import provider
from tests.harvesting import harvest, reported
from tests.workers.three_studies import BAD, STUDIES, hospital

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_data")]


def pacs(broken: dict[str, Any]) -> AbstractContextManager[str]:
    """The three studies by DIMSE; `broken` says what an event is answered for the second."""
    objects = hospital()

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        level, uid = asked.QueryRetrieveLevel, asked.get("StudyInstanceUID")
        if uid == BAD and level in broken:
            yield from broken[level](event)
            return
        found = [each for each in objects if not uid or each.StudyInstanceUID == uid]
        if level == "IMAGE":
            found = [each for each in found if each.SeriesInstanceUID == asked.SeriesInstanceUID]
        names = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
        for each in {each[names[level]].value: each for each in found}.values():
            answer = Dataset({tag: element for tag, element in each.items() if tag.group != 0x7FE0})
            answer.NumberOfStudyRelatedInstances = 6
            yield 0xFF00, answer

    def get(event: evt.Event) -> Iterator[Any]:
        asked = event.identifier
        wanted = asked.SOPInstanceUID
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        slices = len(wanted) > 1 or wanted[0].startswith(f"{BAD}.1.")
        if asked.StudyInstanceUID == BAD and "GET" in broken and slices:
            yield from broken["GET"](event)
            return
        yield len(wanted)
        for each in objects:
            if each.SOPInstanceUID in wanted:
                each.file_meta.MediaStorageSOPClassUID = each.SOPClassUID
                yield 0xFF00, each

    return provider(C_FIND=find, C_GET=get)


def breaking_off(event: evt.Event) -> Iterator[tuple[int, None]]:
    """Leave without a status, which shows as an empty one."""
    event.assoc.abort()
    yield 0x0000, None


def stopping(event: evt.Event) -> Iterator[Any]:
    """Announce five objects and leave."""
    yield 5
    event.assoc.abort()
    yield 0xFF00, None


def nothing(event: evt.Event) -> Iterator[tuple[int, None]]:
    yield 0x0000, None


def refused(event: evt.Event) -> Iterator[tuple[int, None]]:
    yield 0xA700, None


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        ({"SERIES": breaking_off}, "SourceUnreachable"),
        ({"IMAGE": breaking_off}, "SourceUnreachable"),
        ({"IMAGE": refused}, "BadAnswer"),
        ({"IMAGE": nothing}, "TruncatedAnswer"),
        ({"GET": stopping}, "SourceUnreachable"),
    ],
    ids=["no status for series", "no status for images", "refused", "nothing listed", "stops mid-series"],
)
def test_a_study_that_fails_over_dimse_is_named_and_the_others_go_on(broken: dict[str, Any], name: str) -> None:
    with pacs(broken) as address:
        code, _, err = harvest(address)
    assert code == 1
    assert set(reported()) == {name}, err
    assert Lesion.objects.count() == STUDIES - 1
    with pacs({}) as address:
        code, _, err = harvest(address)
    assert (code, err) == (0, "")
    assert Lesion.objects.count() == STUDIES


def test_a_title_that_the_server_does_not_have_ends_in_one_sentence() -> None:
    with pacs({}) as address, pytest.raises(CommandError, match="it is not called WRONG"):
        harvest(address.replace("PACS", "WRONG"))
    assert reported() == {"AccessDenied": 1}
