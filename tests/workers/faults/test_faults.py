"""A quicker selection of what `make faults` plays whole."""

import pytest

from tests.peers.needed import need
from tests.workers.faults.__main__ import SKIPPED, played
from tests.workers.faults.scenarios import ALL

CHOSEN = [(scenario.name, backend) for scenario in ALL if scenario.quick is not None for backend in scenario.backends]


@pytest.mark.services
@pytest.mark.parametrize(("name", "backend"), CHOSEN)
def test_after_the_fault_there_is_one_result_and_nothing_is_lost(name, backend):
    if backend == "servers":
        need("postgresql")
        need("redis-server")
    done = played(name, backend, "--quick")
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
