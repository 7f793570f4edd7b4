"""The dataset's Django application."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "datasets"
