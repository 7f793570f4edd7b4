"""A query means the same to every source; what a server makes of it is checked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from itertools import chain
from pathlib import Path

import pytest

from datasets.pacs.addresses import open_source
from datasets.pacs.finding import BATCH, StudyFinder, study_of
from datasets.pacs.source import BadAnswer, Problem, Query, Study, merged
from tests.datasets.pacs.dicom_files import bidimensional, ct, report, save


def study(number: int, **changes: object) -> Study:
    values = {
        "StudyInstanceUID": f"1.2.{number}",
        "PatientID": "4711",
        "IssuerOfPatientID": "",
        "AccessionNumber": f"A{number}",
        "StudyDate": f"2015010{number}",
        "ModalitiesInStudy": ("CT",),
        "NumberOfStudyRelatedInstances": 3,
    }
    return Study(**(values | changes))


STUDIES = [study(1), study(2, ModalitiesInStudy=("CT", "SR")), study(3, ModalitiesInStudy=("CT", "PR"))]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (Query(), [1, 2, 3]),
        (Query(accession_numbers=frozenset(["A1", "A3", "A9"])), [1, 3]),
        (Query(first_date=date(2015, 1, 2)), [2, 3]),
        (Query(last_date=date(2015, 1, 2)), [1, 2]),
        (Query(first_date=date(2015, 1, 2), last_date=date(2015, 1, 2)), [2]),
        (Query(annotated_in=frozenset(["SR", "PR"])), [2, 3]),
        (Query(annotated_in=frozenset(["SR"]), last_date=date(2015, 1, 1)), []),
        (Query(changed=lambda each: each.NumberOfStudyRelatedInstances != 3), []),
        (Query(changed=lambda each: each.StudyDate > "20150102"), [3]),
    ],
)
def test_all_conditions_hold_together(query: Query, numbers: list[int]) -> None:
    assert [each.StudyInstanceUID for each in STUDIES if query.wants(each)] == [f"1.2.{n}" for n in numbers]
    asked: list[Mapping[str, str]] = []

    def careless(*searches: Mapping[str, str]) -> Iterator[Study]:
        """A server that gives everything whatever it is asked for."""
        asked.extend(searches)
        for _ in searches:
            yield from reversed(STUDIES)

    found = StudyFinder(careless, str.isalnum, []).studies(query)
    assert [each.StudyInstanceUID for each in found] == [f"1.2.{n}" for n in numbers]


def test_a_study_without_date_is_in_no_range() -> None:
    assert not Query(last_date=date(2030, 1, 1)).wants(study(1, StudyDate=""))
    assert Query(first_date=date(2015, 1, 1)).wants(study(1, StudyDate="2015.01.01"))


def test_a_folder_takes_the_same_query(tmp_path: Path) -> None:
    for number, day in ((1, "20150101"), (2, "20160101")):
        uid = f"1.2.{number}"
        changes = {"StudyInstanceUID": uid, "StudyDate": day, "AccessionNumber": f"A{number}"}
        save(ct(SOPInstanceUID=f"{uid}.1", **changes), tmp_path / f"{number}.dcm")
    mark = report(bidimensional("1.2.2.1"), StudyInstanceUID="1.2.2", SOPInstanceUID="1.2.2.9")
    save(mark, tmp_path / "sr.dcm")
    source = open_source(f"dir://{tmp_path}")

    def uids(query: Query) -> list[str]:
        return [each.StudyInstanceUID for each in source.studies(query)]

    assert uids(Query(accession_numbers=frozenset(["A2", "A7"]))) == ["1.2.2"]
    assert [problem.place for problem in source.problems] == ["A7"]
    assert uids(Query(last_date=date(2015, 12, 31))) == ["1.2.1"]
    assert uids(Query(annotated_in=frozenset(["SR"]))) == ["1.2.2"]
    known = {"1.2.1": 1, "1.2.2": 1}
    # A report came in since: two objects, not one.
    query = Query(changed=lambda each: known.get(each.StudyInstanceUID) != each.NumberOfStudyRelatedInstances)
    assert uids(query) == ["1.2.2"]


def test_a_study_in_two_parts_is_put_together_and_one_found_twice_counts_once() -> None:
    whole = study(1)
    loose = study(1, PatientID="", AccessionNumber="", ModalitiesInStudy=("SR",), NumberOfStudyRelatedInstances=1)
    (joined,) = merged([loose, whole, whole])
    assert joined == study(1, ModalitiesInStudy=("CT", "SR"), NumberOfStudyRelatedInstances=4)


def test_a_filtered_search_that_meets_a_part_of_a_study_looks_up_the_whole() -> None:
    whole = study(1)
    loose = study(1, PatientID="", AccessionNumber="", ModalitiesInStudy=("SR",), NumberOfStudyRelatedInstances=1)

    def find(keys: Mapping[str, str]) -> list[Study]:
        return [loose] if "ModalitiesInStudy" in keys else [loose, whole]

    def find_all(*searches: Mapping[str, str]) -> Iterator[Study]:
        return chain.from_iterable(map(find, searches))

    (found,) = StudyFinder(find_all, str.isalnum, []).studies(Query(annotated_in=frozenset(["SR"])))
    assert (found.PatientID, found.NumberOfStudyRelatedInstances) == ("4711", 4)


def test_an_empty_answer_for_a_value_that_cannot_be_asked_for_proves_nothing() -> None:
    odd = study(1, AccessionNumber="A 1")
    asked: list[Mapping[str, str]] = []

    def find(*searches: Mapping[str, str]) -> list[Study]:
        asked.extend(map(dict, searches))
        return [found for keys in searches if "AccessionNumber" not in keys for found in (odd, study(2))]

    problems: list[Problem] = []
    finder = StudyFinder(find, str.isalnum, problems)
    assert list(finder.studies(Query(accession_numbers=frozenset(["A 1", "A9"])))) == [odd]
    assert [problem.place for problem in problems] == ["A9"]
    assert {"AccessionNumber": "A 1"} not in asked


@pytest.mark.parametrize("refuses", [False, True])
def test_all_studies_are_listed_only_where_the_server_may_not_have_understood_a_value(refuses: bool) -> None:
    """Percent-encoding is asked for first: one odd accession number must not cost the list of a whole archive."""
    held = [study(number, AccessionNumber=f"CT/{number}") for number in (1, 2)]
    listed: list[Mapping[str, str]] = []

    def find(*searches: Mapping[str, str]) -> Iterator[Study]:
        for keys in searches:
            if "AccessionNumber" not in keys and "StudyInstanceUID" not in keys:
                listed.append(keys)
            if refuses and "/" in keys.get("AccessionNumber", ""):
                raise BadAnswer("the server answers with HTTP 400")
            yield from (each for each in held if keys.items() <= asdict(each).items())

    problems: list[Problem] = []
    finder = StudyFinder(find, str.isalnum, problems, ask_all=True)
    assert list(finder.studies(Query(accession_numbers=["CT/1"]))) == held[:1]
    assert len(listed) == refuses
    assert list(finder.studies(Query(accession_numbers=["CT/1", "CT/9"]))) == held[:1]
    assert len(listed) == refuses + 1
    assert [problem.place for problem in problems] == ["CT/9"]


def test_a_long_list_of_accession_numbers_is_asked_for_in_a_few_batches() -> None:
    held = {
        f"A{number}": study(1, StudyInstanceUID=f"1.2.{number}", AccessionNumber=f"A{number}") for number in range(300)
    }
    batches: list[int] = []

    def find(*searches: Mapping[str, str]) -> Iterator[Study]:
        batches.append(len(searches))
        for keys in searches:
            yield from (each for each in held.values() if keys.items() <= asdict(each).items())

    problems: list[Problem] = []
    numbers = [*list(held)[:200], "A999"]
    found = list(StudyFinder(find, str.isalnum, problems).studies(Query(accession_numbers=numbers)))
    assert [each.AccessionNumber for each in found] == sorted(numbers[:200])
    assert [problem.place for problem in problems] == ["A999"]
    assert sum(batches) == 201 + 200
    assert len(batches) <= 2 * (201 // BATCH + 1)


class Answer(dict[str, object]):
    """Values by keyword."""


@pytest.mark.parametrize(("count", "number"), [(None, 0), ("", 0), ("12", 12), (12, 12), ("many", 0), ([1, 2], 0)])
def test_what_a_server_leaves_out_of_a_study_is_empty(count: object, number: int) -> None:
    answer = Answer(StudyInstanceUID="1.2", ModalitiesInStudy="CT", NumberOfStudyRelatedInstances=count)
    found = study_of(answer)
    assert (found.NumberOfStudyRelatedInstances, found.PatientID, found.ModalitiesInStudy) == (number, "", ("CT",))
