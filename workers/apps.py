"""The workers' Django application."""

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"
