"""A server that can be left while it does not answer, and is otherwise as it was."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from datasets.pacs.dicomweb import DicomwebSource
from datasets.pacs.interruptible import interruptible
from datasets.pacs.source import Problem, Query, SourceUnreachable, Study

LIMIT_S = 10
"""However busy the machine is; the server's own time-out is much longer."""


class Enough(Exception):
    pass


class Server:
    """Three studies; says on which thread it was asked."""

    label = "server"

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.threads: set[str] = set()
        self.closed = threading.Event()

    def studies(self, query, progress) -> Iterator[Study]:
        try:
            for number in range(3):
                self.threads.add(threading.current_thread().name)
                progress(number + 1, 3)
                yield Study(f"1.{number}", "", "", "", "", (), 1)
            self.problems.append(Problem("2", "not there"))
        finally:
            self.closed.set()

    def instances(self, study):
        self.threads.add(threading.current_thread().name)
        raise SourceUnreachable("the server stopped answering")


def test_who_waits_for_a_server_that_hangs_can_leave() -> None:
    looked: list[float] = []

    def check() -> None:
        looked.append(time.monotonic())
        if len(looked) == 3:
            raise Enough

    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = DicomwebSource.open(f"dicomweb+http://127.0.0.1:{silent.getsockname()[1]}/root")
        begun = time.monotonic()
        with pytest.raises(Enough), interruptible(server, check) as source:
            next(source.studies())
        assert time.monotonic() - begun < LIMIT_S
        looked.clear()
        with pytest.raises(Enough), interruptible(server, check) as source:
            source.instances(Study("1.2", "", "", "", "", (), 1))


def test_all_is_asked_on_one_thread_and_told_on_the_user_s() -> None:
    server, told, asked = Server(), [], []

    def tell(done: int, total: int | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((done, total))

    def changed(study: Study) -> bool:
        assert threading.current_thread() is threading.main_thread()
        asked.append(study.StudyInstanceUID)
        return study.StudyInstanceUID != "1.1"

    with interruptible(server, lambda: None) as source:
        found = [study.StudyInstanceUID for study in source.studies(Query(changed=changed), tell)]
        assert (found, asked) == (["1.0", "1.2"], ["1.0", "1.1", "1.2"])
        assert told[-1] == (3, 3)
        assert [str(each) for each in source.problems] == ["2: not there"]
        with pytest.raises(SourceUnreachable, match="stopped answering"):
            source.instances(Study("1.0", "", "", "", "", (), 1))
    assert server.threads == {"source"}


def test_what_is_left_half_way_is_closed_and_no_thread_stays() -> None:
    server, before = Server(), set(threading.enumerate())
    with interruptible(server, lambda: None) as source:
        studies = source.studies(Query(), lambda done, total: None)
        next(studies)
        studies.close()
        (thread,) = set(threading.enumerate()) - before
    assert server.closed.wait(LIMIT_S)
    thread.join(LIMIT_S)
    assert not thread.is_alive()
