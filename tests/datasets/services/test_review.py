"""Verdicts of people: added, taken back, never lost, never overwritten unseen; they merge and part what they say."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from datasets.models import Lesion, Proposal, Release, Review
from datasets.services import release as releases
from datasets.services.curate import curate
from datasets.services.review import (
    BadReview,
    JudgedMeanwhile,
    NotThereAnyMore,
    latest_review,
    review_lesion,
    review_proposal,
    undo,
)
from tests.datasets.services.test_curate import cross, lesion_at
from tests.factories import make_annotation, make_lesion, make_patient, make_series, make_slice, make_study, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def curator(db):
    return make_user("curator")


@pytest.fixture
def on(db):
    return make_slice(stored=True)


def collection_of(place):
    return place.series.study.patient.collection


def judge(lesion, curator, verdict, **values):
    values.setdefault("seen", latest_review(lesion))
    return review_lesion(lesion=lesion, reviewer=curator, verdict=verdict, **values)


def decide(proposal, curator, verdict, **values):
    values.setdefault("seen", latest_review(proposal))
    return review_proposal(proposal=proposal, reviewer=curator, verdict=verdict, **values)


def standing():
    return set(Lesion.objects.filter(merged_into=None, dissolved=False))


def near_duplicates(on):
    """Two marks whose boxes overlap by half."""
    first, second = lesion_at(on, cross(200)), lesion_at(on, cross(213))
    assert curate(collection=collection_of(on))["proposed"] == 1
    return first, second, Proposal.objects.get()


def test_near_duplicates_are_proposed_and_not_merged(on):
    first, second, proposal = near_duplicates(on)
    assert standing() == {first, second}
    assert (proposal.first, proposal.second, proposal.reason) == (first, second, "overlap")
    assert 0.4 <= proposal.value <= 0.6
    assert proposal.threshold == 0.4
    assert curate(collection=collection_of(on))["proposed"] == 0


def on_slices(numbers, points, **values):
    series = make_series(slice_interval=5.0)
    return [lesion_at(make_slice(series=series, number=number), points, **values) for number in numbers]


def test_the_same_place_on_a_slice_close_by_is_proposed(db):
    first, _second = on_slices((10, 12), cross())
    curate(collection=collection_of(first.slice))
    proposal = Proposal.objects.get()
    assert (proposal.reason, proposal.distance_mm) == ("neighbours", 10.0)


def test_what_lies_farther_away_is_another_lesion(db):
    first, _second = on_slices((10, 13), cross())
    curate(collection=collection_of(first.slice))
    assert not Proposal.objects.exists()


def test_what_the_reader_numbered_apart_is_not_proposed(on):
    collection = collection_of(on)
    for x, number in ((200, "F01"), (213, "F02")):
        lesion_at(on, cross(x), annotation=make_annotation(collection=collection, follow_up=number))
    assert curate(collection=collection)["proposed"] == 0


def test_merging_makes_an_average_that_remembers_its_sources_and_undoing_restores_them(on, curator):
    first, second, proposal = near_duplicates(on)
    verdict = decide(proposal, curator, "merge")
    (average,) = standing()
    assert set(average.sources.all()) == set(average.merged_from.all()) == {first, second}
    assert (average.x11 + average.x12) / 2 == pytest.approx(206.5)
    undo(review=verdict, reviewer=curator)
    assert standing() == {first, second}
    average.refresh_from_db()
    assert average.dissolved
    assert set(average.sources.all()) == {first, second}, "the average stays and knows what it was"
    decide(proposal, curator, "merge")
    assert standing() == {average}, "the same average stands again"


def test_marks_on_neighbouring_slices_merge_on_the_slice_of_the_longest(curator):
    series = make_series(slice_interval=5.0)
    small = lesion_at(make_slice(series=series, number=10), cross(long=26, short=18))
    large = lesion_at(make_slice(series=series, number=11), cross(long=30, short=20))
    curate(collection=collection_of(small.slice))
    decide(Proposal.objects.get(), curator, "merge")
    (average,) = standing()
    assert average.slice == large.slice
    assert average.points == pytest.approx(large.points)
    assert (average.first_slice, average.last_slice) == (small.first_slice, large.last_slice)
    assert set(average.sources.all()) == {small, large}


def test_what_was_merged_by_rule_can_be_parted_and_joined_again(on, curator):
    first, second = lesion_at(on, cross(200)), lesion_at(on, cross(202))
    curate(collection=collection_of(on))
    (average,) = standing()
    verdict = judge(average, curator, "split")
    assert standing() == {first, second}
    curate(collection=collection_of(on))
    assert standing() == {first, second}, "another run keeps what a person decided"
    assert not Proposal.objects.exists(), "and asks no second time"
    undo(review=verdict, reviewer=curator)
    assert standing() == {average}


def test_only_what_was_merged_can_be_parted(on, curator):
    with pytest.raises(BadReview):
        judge(lesion_at(on, cross()), curator, "split")


def test_verdicts_survive_another_curation_and_marks_that_come_later(on, curator):
    first = lesion_at(on, cross(200), mean_hu=-950.0)
    collection = collection_of(on)
    curate(collection=collection)
    judge(first, curator, "keep")
    later = lesion_at(on, cross(202))
    assert curate(collection=collection) == {"lesions": 2, "merged": 0, "proposed": 1, "possibly_noisy": 1}
    assert standing() == {first, later}, "what a person judged is not merged without asking"
    assert first.reviews.get().verdict == "keep"


def test_two_that_are_not_the_same_stay_apart_whatever_joins_them(on, curator):
    first, second, proposal = near_duplicates(on)
    decide(proposal, curator, "distinct")
    between = lesion_at(on, cross(206))
    curate(collection=collection_of(on))
    assert len({first, second} & standing()) == 1, "the third joins the nearer one alone"
    assert between not in standing()
    for average in standing() - {first, second}:
        assert len(average.sources.all()) == 2


def test_the_latest_verdict_that_was_not_taken_back_stands(on, curator):
    lesion = lesion_at(on, cross())
    judge(lesion, curator, "keep")
    second = judge(lesion, curator, "reject")
    collection = collection_of(on)
    assert not releases.releasable(collection).exists()
    undo(review=second, reviewer=curator)
    assert [row.verdict for row in releases.releasable(collection)] == ["keep"]
    assert list(lesion.reviews.values_list("verdict", flat=True)) == ["withdrawn", "reject", "keep"]


def test_a_verdict_is_taken_back_once_and_only_while_it_stands(on, curator):
    lesion = lesion_at(on, cross())
    first, second = judge(lesion, curator, "keep"), judge(lesion, curator, "reject")
    with pytest.raises(NotThereAnyMore):
        undo(review=first, reviewer=curator)
    withdrawal = undo(review=second, reviewer=curator)
    for each in (second, withdrawal):
        with pytest.raises(NotThereAnyMore):
            undo(review=each, reviewer=curator)


def test_who_did_not_see_the_latest_verdict_is_told_and_nothing_is_written(on, curator):
    lesion = lesion_at(on, cross())
    judge(lesion, make_user("curator", username="anna"), "keep")
    with pytest.raises(JudgedMeanwhile, match="anna was faster: “a lesion”"):
        judge(lesion, curator, "reject", seen=0)
    assert lesion.reviews.count() == 1


def test_a_mark_that_is_part_of_another_takes_no_verdict(on, curator):
    first, _second, proposal = near_duplicates(on)
    decide(proposal, curator, "merge")
    with pytest.raises(NotThereAnyMore):
        judge(first, curator, "keep")
    with pytest.raises(NotThereAnyMore):
        decide(proposal, curator, "distinct")


def test_merging_what_was_told_apart_is_refused(on, curator):
    first, second, _ = near_duplicates(on)
    third = lesion_at(on, cross(226))
    curate(collection=collection_of(on))
    outer = Proposal.objects.create(first=first, second=third, reason="overlap", value=0.4, threshold=0.4)
    decide(outer, curator, "distinct")
    decide(Proposal.objects.get(first=first, second=second), curator, "merge")
    average = (standing() - {third}).pop()
    last = Proposal.objects.create(
        first=min(third, average, key=lambda each: each.pk),
        second=max(third, average, key=lambda each: each.pk),
        reason="overlap",
        value=0.4,
        threshold=0.4,
    )
    decide(last, curator, "merge")
    assert len(standing()) == 1, "the later verdict counts"


def test_a_published_release_keeps_what_it_holds_and_the_next_one_follows_the_verdict(on, curator):
    kept, dropped = lesion_at(on, cross(100)), lesion_at(on, cross(300))
    for _ in range(3):
        patient = make_slice(stored=True, series=make_series(study=_study_in(collection_of(on))))
        make_lesion(slice=patient)
    first = releases.create("first", collection_of(on), split=(70, 15, 15))
    judge(dropped, curator, "reject")
    second = releases.create("second", collection_of(on), split=(70, 15, 15))
    members = {
        name: set(Release.objects.get(name=name).members.values_list("lesion", flat=True))
        for name in ("first", "second")
    }
    assert members["first"] - members["second"] == {dropped.pk}
    assert kept.pk in members["second"]
    assert (first.counts, second.counts) == (Release.objects.get(name="first").counts, second.counts)


def _study_in(collection):
    return make_study(patient=make_patient(collection=collection))


def test_a_verdict_neither_changes_nor_goes(on, curator):
    made = judge(lesion_at(on, cross()), curator, "keep")
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.filter(pk=made.pk).update(verdict="reject")
    with pytest.raises(IntegrityError), transaction.atomic():
        made.delete()


@pytest.mark.django_db(transaction=True)
def test_of_two_curators_at_once_one_is_recorded_and_the_other_is_told():
    lesion = lesion_at(make_slice(), cross())
    people = [make_user("curator") for _ in range(2)]
    barrier = threading.Barrier(2, timeout=20)

    def give(person, verdict):
        try:
            barrier.wait()
            judge(lesion, person, verdict, seen=0)
        except JudgedMeanwhile:
            return "told"
        else:
            return "recorded"
        finally:
            connection.close()

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(give, people, ("keep", "reject")))
        assert sorted(outcomes) == ["recorded", "told"]
        undo(review=lesion.reviews.get(), reviewer=people[0])
        lesion = lesion_at(lesion.slice, cross(x=400))


@pytest.mark.django_db(transaction=True)
def test_two_curators_merge_a_pair_once():
    _, _, proposal = near_duplicates(make_slice())
    people = [make_user("curator") for _ in range(2)]
    barrier = threading.Barrier(2, timeout=20)

    def give(person):
        try:
            barrier.wait()
            decide(proposal, person, "merge", seen=0)
        except (JudgedMeanwhile, NotThereAnyMore):
            return "told"
        else:
            return "recorded"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(give, people)) == ["recorded", "told"]
    assert Lesion.objects.exclude(sources=None).distinct().count() == 1
    assert len(standing()) == 1
