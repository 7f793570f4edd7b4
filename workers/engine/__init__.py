"""The engine of the jobs: ask for one, run it once, take back what a lost worker had."""

from workers.engine.ask import cancel, enqueue, publish, retry
from workers.engine.here import wait_for, worker_at_work
from workers.engine.perform import perform
from workers.engine.sweep import sweep

__all__ = ["cancel", "enqueue", "perform", "publish", "retry", "sweep", "wait_for", "worker_at_work"]
