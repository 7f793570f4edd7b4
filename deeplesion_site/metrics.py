"""/metrics for Prometheus: jobs by kind and state, what waits in each queue, workers, disk."""

import shutil
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from deeplesion_site import health
from deeplesion_site.access import Right, needs
from workers import schedules, standing


class Collector:
    """Reads the database when it is asked; nothing is counted in a process, of which there are many."""

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("deeplesion_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for (kind, state), count in standing.jobs().items():
            jobs.add_metric([kind, state], count)
        yield jobs
        waiting = GaugeMetricFamily("deeplesion_queue_waiting", "Jobs that wait for a worker.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "deeplesion_queue_oldest_seconds", "How long the first has waited.", labels=["queue"]
        )
        workers = GaugeMetricFamily("deeplesion_workers", "Workers that gave a sign of life.", labels=["queue"])
        for queue in standing.queues():
            waiting.add_metric([queue.name], queue.waiting)
            oldest.add_metric([queue.name], queue.oldest_s)
            workers.add_metric([queue.name], queue.workers)
        yield from (waiting, oldest, workers)
        yield GaugeMetricFamily(
            "deeplesion_schedules_overdue",
            "Planned harvests that nobody started in time.",
            schedules.overdue().count(),
        )
        up = GaugeMetricFamily("deeplesion_up", "1 where a part can be used.", labels=["part"])
        for part, works in health.state().items():
            up.add_metric([part], works)
        yield up
        yield GaugeMetricFamily(
            "deeplesion_disk_free_bytes", "Free on the disk of DATA_DIR.", shutil.disk_usage(settings.DATA_DIR).free
        )


@require_safe
@never_cache
@needs(Right.SEE_JOBS)
def metrics(request: HttpRequest) -> HttpResponse:
    """For an administrator's access token with the scope `watch`."""
    registry = CollectorRegistry()
    registry.register(Collector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
