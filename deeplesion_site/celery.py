"""The Celery application; its settings are Django's, prefixed CELERY_."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import celeryd_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")

app = Celery("deeplesion")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def make_broker_folders(**_: object) -> None:
    """The embedded broker passes messages through folders."""
    for folder in ("data_folder_in", "control_folder"):
        if path := app.conf.broker_transport_options.get(folder):
            Path(path).mkdir(parents=True, exist_ok=True)


@worker_ready.connect
def take_up_what_waits(**_: object) -> None:
    app.send_task("workers.tasks.sweep")
