"""All scenarios: what they are called, what plays them, how large, and where."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tests.workers.faults.stage import BACKENDS, Stage

EMBEDDED, SERVERS = (BACKENDS[:1], BACKENDS[1:])


@dataclass(frozen=True)
class Scenario:
    """A fault. `make faults` plays it `whole`, the test suite `quick`."""

    name: str
    act: str
    """Module and function; they need Django, which is set up with the stage."""
    whole: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    backends: tuple[str, ...] = BACKENDS
    quick_on: tuple[str, ...] = BACKENDS

    def play(self, stage: Stage, *, quick: bool) -> str:
        """Play it; say what was found."""
        module, _, function = self.act.partition(".")
        act = getattr(import_module(f"tests.workers.faults.{module}"), function)
        return str(act(stage, **(self.quick if quick else self.whole)))


ALL = (
    Scenario("worker killed at random moments", "killed.at_random_moments", {"kills": 9}, {"kills": 2}),
    Scenario(
        "worker killed in every kind of job",
        "every_kind.killed",
        {"kills": 3},
        {"kills": 1, "learning": False},
        quick_on=EMBEDDED,
    ),
    Scenario(
        "worker killed beside two others",
        "side_by_side.one_is_killed",
        quick={"victims": ("harvest",)},
        quick_on=EMBEDDED,
    ),
    Scenario("worker pauses past its lease", "killed.paused_past_its_lease"),
    Scenario("two workers claim", "killed.two_claim_at_once", {"rounds": 200}, {"rounds": 40}),
    Scenario("message delivered three times", "messages.delivered_three_times", {"jobs": 40}, {"jobs": 5}),
    Scenario("broker down at commit", "messages.broker_down_at_commit"),
    Scenario("Redis stopped and started", "messages.broker_stopped_and_started", backends=SERVERS),
    Scenario("Redis paused", "messages.broker_paused", backends=SERVERS),
    Scenario("PostgreSQL restarted", "messages.database_restarted", backends=SERVERS),
    Scenario("cancel races with success", "cancelled.racing_with_success", {"jobs": 60}, {"jobs": 8}),
    Scenario("cancel within two seconds", "cancelled.within_two_seconds"),
    Scenario("disk full", "disk.full", quick_on=EMBEDDED),
    Scenario("clock set back by an hour", "clock.set_back"),
)


def of(backend: str, *, quick: bool) -> list[Scenario]:
    """The scenarios of a backend."""
    return [each for each in ALL if backend in each.backends and (not quick or backend in each.quick_on)]


def find(name: str) -> Scenario:
    """The scenario of a name."""
    return next(scenario for scenario in ALL if scenario.name == name)
