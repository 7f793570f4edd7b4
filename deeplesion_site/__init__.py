"""What people touch: settings, URLs, REST API, dashboard pages."""

from deeplesion_site.celery import app as celery_app

__all__ = ["celery_app"]
