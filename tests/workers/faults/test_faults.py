"""Every fault of `make faults` once, in its cheapest setting."""

import pytest

from tests.peers.needed import need, required
from tests.workers.faults import scenarios
from tests.workers.faults.__main__ import played
from tests.workers.faults.stage import BACKENDS


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("backend", BACKENDS)
def test_after_every_fault_there_is_one_result_and_nothing_is_lost(backend):
    if backend == "servers":
        need("postgresql")
        need("redis-server")
    found = played(backend, seed=0, quick=True)
    failed = [each for each in found if each.outcome == "failed"]
    if required():
        failed += [each for each in found if each.outcome == "skipped"]
    assert not failed, "\n\n".join(f"{each.fault}: {each.words}" for each in failed)
    assert [each.fault for each in found] == [scenario.name for scenario in scenarios.of(backend, quick=True)]
    for each in found:
        print(f"{each.fault}: {each.seconds:.1f} s, {each.words}")
