"""A clock that is set back by an hour under a worker's feet."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workers.faults import judge
from tests.workers.faults.stage import Stage
from workers.models import Job

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int late(void) {
    static char *flag;
    if (!flag) flag = getenv("CLOCK_BACK_IF");
    return flag && access(flag, F_OK) == 0 ? 3600 : 0;
}
int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(which, now);
    if (which == CLOCK_REALTIME) now->tv_sec -= late();
    return status;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
"""


def set_back(stage: Stage) -> str:
    """Set the clock of the workers back by an hour: one job is at work, one has just lost its worker."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the clock of a process cannot be moved")
    shim, flag = stage.folder / "clock.so", stage.folder / "back"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", shim, "-x", "c", "-", "-ldl"], input=SHIM, text=True, check=True
    )
    shifted = {"LD_PRELOAD": str(shim), "CLOCK_BACK_IF": str(flag)}
    (lost,) = stage.enqueue(1, steps=30, pause=0.1)
    victim = stage.worker(**shifted)
    stage.until(lambda: Job.objects.get(pk=lost).done >= 2, "the first job is at work")
    (living,) = stage.enqueue(1, steps=60, pause=0.1)
    stage.kill(victim)
    stage.worker(processes=2, **shifted)
    stage.until(lambda: Job.objects.get(pk=living).done >= 2, "the second job is at work")
    Path(flag).touch()
    stage.finished([lost, living])
    for key, steps in ((lost, 30), (living, 60)):
        judge.one_result_each([key], steps=steps)
    assert Job.objects.get(pk=living).attempt == 1, "the clock took the job from a living worker"
    return "the living worker kept its job, the lost one's was taken back"
