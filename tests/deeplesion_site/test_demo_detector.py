"""The demo sends its detector to the worker when the map is done, and once."""

import pytest

from deeplesion_site.management.commands import demo
from detection.models import TrainingRun
from tests import factories
from tests import factories_detection as made
from workers.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def command() -> demo.Command:
    made_command = demo.Command()
    factories.make_release([factories.make_lesion()], name=demo.RELEASE)
    made_command.waiting = demo.training.request(demo.DETECTOR)
    return made_command


def trainings() -> int:
    return Job.objects.filter(kind="train").count()


def test_the_detector_waits_for_the_map(command: demo.Command) -> None:
    locating = factories.make_job(kind="locate", state="running")
    command.train_after_locating()
    assert trainings() == 0
    locating.delete()
    for _ in range(3):
        command.train_after_locating()
    assert trainings() == 1


@pytest.mark.parametrize("state", ["training", "trained", "failed"])
def test_a_run_that_is_under_way_or_over_is_left_alone(state: str, command: demo.Command) -> None:
    TrainingRun.objects.all().delete()
    command.waiting = made.make_run(release=demo.RELEASE, state=state)
    command.train_after_locating()
    assert trainings() == 0
