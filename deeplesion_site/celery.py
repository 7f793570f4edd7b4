"""The Celery application; its settings are Django's, prefixed CELERY_."""

import os
from typing import Any

from celery import Celery

from deeplesion_site import folder_broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")

ANSWERS_WITHIN_S = 3.0
"""How long a broker that hangs may hang whoever sends a message, asks how many wait, or asks whether it is there."""


class Jobs(Celery):
    """Gives up soon on a broker that hangs, except where messages are taken from it.

    A worker whose acknowledgement was given up would take no further message in its place: it waits instead.
    """

    def connection_for_write(self, *args: Any, **kwargs: Any) -> Any:
        """As Celery's; what Redis does not answer within seconds fails."""
        limits = {"socket_timeout": ANSWERS_WITHIN_S, "socket_connect_timeout": ANSWERS_WITHIN_S}
        return super().connection_for_write(*args, **{"transport_options": limits, **kwargs})


folder_broker.use()
app = Jobs("deeplesion")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
