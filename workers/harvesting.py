"""Harvesting as a job: the order is found by its name, and what may be stored of the report comes back."""

import secrets
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.models import Collection
from datasets.pacs.deidentify import KEY_BYTES, Pseudonymiser, load_or_create_key
from datasets.pacs.directory import DirectorySource
from datasets.pacs.interruptible import interruptible
from datasets.services.errors import Refused
from datasets.services.harvest import Report, harvest, key
from datasets.services.harvest import order as orders_of_harvests
from datasets.services.harvest.order import Order, forget, keep
from workers.exported import alone_in
from workers.models import HarvestSchedule, Job
from workers.run import Run


class NotAHospital(Refused):
    """A collection was named that a harvest must not write to."""


def orders() -> Path:
    """Where orders are kept."""
    return Path(settings.DATA_DIR) / "harvests"


def let_go(name: str, with_places: bool = True) -> None:
    """Remove an order that is worked off, and where its problems lie; then they name no patient.

    It stays where its harvest comes again, and while another job has yet to read it, as a rehearsal of it may.
    """
    waiting = Job.objects.filter(kind="harvest", params__order=name, state__in=Job.UNFINISHED)
    if not HarvestSchedule.objects.filter(order=name).exists() and not waiting.exists():
        forget(name, orders(), with_places)


def params_of(order: Order) -> dict[str, Any]:
    """Keep an order for whoever works it off; give the job's parameters.

    Raises
    ------
    SourceError, Refused, KeyUnusable : one sentence on what is wrong with it.
    """
    order.check()
    target(order)
    return order.params(keep(order, orders(), pseudonymiser()))


def name_of(order: Order) -> str:
    """The name under which an order is kept; one that nobody else has, where the installation has no key yet."""
    return orders_of_harvests.name_of(order, pseudonymiser(create=False))


def harvest_now(order: Order, run: Run, dry_run: bool = False) -> Report:
    """Harvest, into one collection one at a time; a dry run leaves no trace, not even a key.

    Raises
    ------
    Refused, SourceError, KeyUnusable, HarvestStopped
    """
    if dry_run:
        return _harvest(order, run, dry_run)
    # Two would give one number twice, and each would remove what the other is just writing.
    with alone_in(orders() / f".{order.collection}.lock", waiting=run.check_cancelled):
        return _harvest(order, run, dry_run)


def _harvest(order: Order, run: Run, dry_run: bool) -> Report:
    source, hashes = order.open(), pseudonymiser(create=not dry_run)
    if not dry_run:
        key.remember(hashes)
    # A folder answers at once, and tells file by file how far it is.
    local = isinstance(source, DirectorySource)
    with nullcontext(source) if local else interruptible(source, run.check_cancelled) as source:
        return harvest(
            source=source,
            collection=target(order),
            pseudonymiser=hashes,
            query=order.query,
            since_last=order.since_last,
            context_mm=order.context_mm,
            dry_run=dry_run,
            on_scan=partial(run.progress, unit="files"),
            progress=partial(run.progress, unit="studies"),
            check=run.check_cancelled,
            fence=run.fence,
        )


def target(order: Order) -> Collection:
    """The collection to harvest into; a new one is not saved yet.

    Raises
    ------
    NotAHospital, ValidationError
    """
    known = Collection.objects.filter(slug=order.collection).first()
    if known is not None and known.kind != Collection.Kind.HOSPITAL:
        raise NotAHospital(f"{order.collection} is a published dataset; harvest into a collection of its own")
    if known is not None:
        return known
    title = order.title or order.collection.replace("-", " ").capitalize()
    made = Collection(slug=order.collection, title=title, kind=Collection.Kind.HOSPITAL)
    made.full_clean()
    return made


def pseudonymiser(create: bool = True) -> Pseudonymiser:
    """What turns identifiers into keyed hashes, under the installation's key or one that is thrown away.

    Raises
    ------
    KeyUnusable : also where the key is lost, or another one than that of the database.
    """
    path = settings.IDENTITY_KEY_FILE
    if not path.exists():
        key.may_be_made(path)
        if not create:
            return Pseudonymiser(secrets.token_bytes(KEY_BYTES))
    found = Pseudonymiser(load_or_create_key(path))
    key.check(found, path)
    return found
