"""A disk that is full in the middle of a harvest."""

import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from datasets.models import Lesion, Slice
from datasets.services.harvest.order import Order
from tests.workers.faults import judge
from tests.workers.faults.stage import Stage
from workers import engine, harvesting
from workers.models import Job


def full(stage: Stage) -> str:
    """Harvest onto a small disk: it fails in a sentence, leaves nothing half-written, goes on when there is room."""
    hospital = stage.hospital()
    slices = Path(settings.DATA_DIR) / "slices" / "small-disk"
    slices.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", slices], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here; that needs root")
    try:
        stage.worker()
        order = Order(source=f"dir://{hospital}", collection="small-disk", context_mm=20.0)
        key = engine.enqueue(kind="harvest", params=harvesting.params_of(order)).pk
        stage.finished([key])
        job = Job.objects.get(pk=key)
        assert job.state == "failed", job.state
        assert "the disk is full" in job.message, job.message
        # Slices that are whole wait for the next try, which makes rows of them.
        judge.no_half_written_file()
        known = Slice.objects.filter(series__study__patient__collection__slug="small-disk")
        before = known.count()
        subprocess.run(["mount", "-o", "remount,size=64m", slices], check=True)
        engine.retry(key)
        stage.finished([key])
        job.refresh_from_db()
        assert job.state == "succeeded", job.message
        judge.no_orphan_file()
        files = {str(path.relative_to(slices)) for path in slices.rglob("*.png")}
        assert files == {each.path for each in known.select_related("series__study__patient")}
        assert Lesion.objects.exists()
    finally:
        stage.clear()
        subprocess.run(["umount", slices], check=False, capture_output=True)
    return f"stopped in a sentence after {before} slices, then {len(files)} slices, all known"
