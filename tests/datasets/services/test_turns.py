"""A release that is published while a harvest fills holes around its lesions holds what it says, whoever came first.

SQLite lets one transaction write at a time; PostgreSQL lets both go on until they meet at a row.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from datasets.models import Collection, Lesion, Release
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.directory import DirectorySource
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.harvest import harvest, study
from datasets.services.release_contents import csv_lines, slices

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite every transaction writes alone"),
]


def widen(folder: Path, context_mm: float | None = None) -> None:
    """Harvest with a wider context, as another process would: two slices more, and a wider span of the lesion."""
    try:
        collection = Collection.objects.filter(slug="hospital").first() or Collection(
            slug="hospital", title="H", kind=Collection.Kind.HOSPITAL
        )
        harvest(
            source=DirectorySource(folder),
            collection=collection,
            pseudonymiser=Pseudonymiser(b"k" * 32),
            context_mm=context_mm,
        )
    finally:
        connection.close()


def wait_for_a_lock(over: Callable[[], bool]) -> None:
    """Until a connection waits for a row that another one holds, or the other side is over without waiting."""
    deadline = time.monotonic() + 60
    with connection.cursor() as cursor:
        while not over():
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the same activity all along
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline, "nobody waits, and nobody is done"
            time.sleep(0.02)


@pytest.fixture
def narrow(hospital: Path, data_dir: Path) -> Path:
    """A lesion with the slices next to its own; two more lie in the hospital."""
    with ThreadPoolExecutor(1) as other:
        other.submit(widen, hospital, 5.0).result()
    lesion = Lesion.objects.get()
    assert (lesion.first_slice, lesion.last_slice, lesion.slice.series.slices.count()) == (2, 4, 3)
    return hospital


def assert_it_holds_what_it_says(release: Release) -> None:
    release.refresh_from_db()
    lesion = Lesion.objects.get()
    line = list(csv_lines(release))[1]
    assert f"{lesion.first_slice}, {lesion.last_slice}" in line
    held = list(slices(release))
    assert sum(each["slices"] for each in release.counts.values()) == len(held)
    assert [each.number for each in held] == list(range(lesion.first_slice, lesion.last_slice + 1))
    manifests.prepare(release_name=release.name)


def test_a_harvest_waits_for_the_release_and_adds_nothing_to_it(narrow: Path) -> None:
    with ThreadPoolExecutor(1) as other:
        started: list[Any] = []

        def check() -> None:
            if not started:
                started.append(other.submit(widen, narrow))
            wait_for_a_lock(started[0].done)

        release = releases.create("r-1.0", Collection.objects.get(), split=(100, 0, 0), check=check)
        started[0].result()
    lesion = Lesion.objects.get()
    assert lesion.last_slice == 4, "a release keeps the span of its lesions"
    assert lesion.slice.series.slices.count() == 5, "what came around it came, for the next release"
    assert_it_holds_what_it_says(release)


def test_a_release_waits_for_the_harvest_and_takes_what_it_brought(
    narrow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widened, settle = threading.Event(), study.settle_around

    def settle_and_wait(*arguments: Any) -> None:
        settle(*arguments)
        widened.set()
        wait_for_a_lock(lambda: False)

    monkeypatch.setattr(study, "settle_around", settle_and_wait)
    with ThreadPoolExecutor(1) as other:
        harvesting = other.submit(widen, narrow)
        assert widened.wait(60)
        release = releases.create("r-1.0", Collection.objects.get(), split=(100, 0, 0))
        harvesting.result()
    assert Lesion.objects.get().last_slice == 5
    assert_it_holds_what_it_says(release)
