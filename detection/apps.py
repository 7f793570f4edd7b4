"""The detector's Django application; everything else here but models, services and selectors knows no Django."""

from django.apps import AppConfig


class DetectionConfig(AppConfig):
    name = "detection"
