"""What is done once all is loaded; the groups that are the roles exist as soon as the database does."""

import gc
from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class DeepLesionSiteConfig(AppConfig):
    name = "deeplesion_site"
    verbose_name = "DeepLesion"

    def ready(self) -> None:
        from deeplesion_site import checks  # noqa: F401  (they are registered from here on)

        # The signal is sent for apps with models alone, so this listens to the one that owns the table.
        post_migrate.connect(create_groups, sender=apps.get_app_config("auth"))

        # What is loaded by now stays to the end: the collector need not walk through it again and again while
        # thousands of slices come in, and processes that a server or worker forks go on sharing it.
        gc.freeze()


def create_groups(using: str, **_: Any) -> None:
    """Create the groups of `deeplesion_site.access`."""
    from django.contrib.auth.models import Group

    from deeplesion_site.access import GROUPS

    for name in GROUPS:
        Group.objects.using(using).get_or_create(name=str(name))
