"""The reactor of an association stands still while an answer is awaited, however late its thread gets a turn."""

from __future__ import annotations

import threading
import time

from datasets.pacs.dimse_pause import Checkpoint

ROUNDS = 300


class Reactor(threading.Thread):
    """A loop like pynetdicom's, which counts its turns; it is slow to begin one, as on a busy machine."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.turns = 0
        self.ended = False
        self.checkpoint = Checkpoint(self)

    def run(self) -> None:
        while not self.ended:
            self.checkpoint.wait()
            time.sleep(0.0002)
            self.turns += 1


def test_no_turn_begins_between_pause_and_release() -> None:
    reactor = Reactor()
    reactor.start()
    for _ in range(ROUNDS):
        reactor.checkpoint.clear()
        before = reactor.turns
        time.sleep(0.0005)
        assert reactor.turns == before
        reactor.checkpoint.set()
    reactor.ended = True
    reactor.join(5)
    assert not reactor.is_alive()
    assert reactor.turns


def test_a_reactor_that_has_ended_is_not_waited_for() -> None:
    reactor = Reactor()
    reactor.ended = True
    reactor.start()
    reactor.join(5)
    reactor.checkpoint.clear()
    assert not reactor.checkpoint.is_set()


def test_the_reactor_may_pause_itself() -> None:
    reactor = Reactor()
    reactor.run = reactor.checkpoint.clear  # type: ignore[method-assign]
    reactor.start()
    reactor.join(5)
    assert not reactor.is_alive()
