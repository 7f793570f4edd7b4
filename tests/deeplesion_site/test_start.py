"""What every process does once, when all of it is loaded."""

import gc

from django.apps import apps


def test_the_collector_does_not_walk_through_what_is_loaded_at_start() -> None:
    gc.unfreeze()
    loaded = len(gc.get_objects())
    apps.get_app_config("deeplesion_site").ready()
    assert gc.get_freeze_count() >= loaded > 50_000
    assert len(gc.get_objects()) < 1_000
