"""Slices of a published dataset, read once for both of their hashes: a manifest lists the file's, leaks show in the
pixels'.

An import looks at key slices alone. Their neighbours (900,000 in DeepLesion) are read when the first release needs
them, some at a time, so that a second try goes on where the first one ended. A harvest hashes what it writes.
"""

import hashlib
import io
import os
from collections.abc import Callable
from itertools import islice

from django.core.files.storage import Storage
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from datasets import bulk, png
from datasets.models import Collection, Series, Slice
from datasets.pacs.ahead import map_ahead
from datasets.pacs.pixels import pixel_hash
from datasets.services.errors import Refused
from datasets.services.turns import take_turn
from datasets.storage import place_of, slice_storage
from datasets.storage_errors import StorageFailed

Progress = Callable[[int, int], None]
Hashes = tuple[int, str, str]
"""Bytes of the file, SHA-256 of the file and of the pixels."""

BATCH = 2000
"""Slices per query and commit."""

AHEAD = 32
"""Slices in memory at once."""


class MissingImage(Refused):
    """An image is not there, or not the one that it was."""


def hash_slices(
    *,
    collection: Collection,
    progress: Progress = lambda done, total: None,
    on_damage: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Hash the slices of a published dataset that nobody has hashed yet.

    A damaged image is left out from now on, as an import leaves out a damaged key slice; a later import takes it
    once it is mended.

    Parameters
    ----------
    progress : called with the slices done and their number.
    on_damage : called with the name of a damaged image and what is wrong with it.

    Raises
    ------
    MissingImage : an image that was there is not, has changed since it was hashed, or is damaged and part of a
        published release; what was hashed stays.
    """
    if collection.kind != Collection.Kind.PUBLISHED:
        return
    storage = slice_storage(collection)
    waiting = _waiting(collection)
    total, done, last = waiting.count(), 0, 0
    threads = os.cpu_count() or 1
    while batch := list(islice(waiting.filter(pk__gt=last).order_by("pk").iterator(), BATCH)):
        hashed, damaged = [], []
        for image, found in zip(
            batch, map_ahead(lambda image: _read(storage, image), batch, threads, AHEAD), strict=True
        ):
            if isinstance(found, png.BadImage):
                damaged.append(image)
                on_damage(f"{image.path}: {found}")
            else:
                hashed.append((*found, image.pk))
            done += 1
            progress(done, total)
        with transaction.atomic():
            take_turn(collection)
            bulk.update(Slice, ("bytes", "sha256", "pixel_hash"), hashed)
            for image in damaged:
                _leave_out(storage, image)
        last = batch[-1].pk


def _leave_out(storage: Storage, image: Slice) -> None:
    try:
        with transaction.atomic():
            Slice.objects.filter(pk=image.pk).update(stored=False, stored_at=None)
    except IntegrityError as error:
        place = place_of(storage, image.path)
        raise MissingImage(f"{place} is damaged, and a published release holds it: mend it first") from error


def _waiting(collection: Collection) -> QuerySet[Slice]:
    """Stored slices that lack a hash; `Slice.path` needs no further query."""
    series = Series.objects.filter(study__patient__collection=collection)
    return (
        Slice.objects.filter(Q(sha256="") | Q(pixel_hash=""), stored=True, series__in=series)
        .select_related("series__study__patient")
        .order_by()
    )


def _read(storage: Storage, image: Slice) -> Hashes | png.BadImage:
    try:
        with storage.open(image.path) as file:
            content = file.read()
    except StorageFailed:
        raise
    except OSError as error:
        raise MissingImage(f"{place_of(storage, image.path)} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if image.sha256 and image.sha256 != digest:
        raise MissingImage(f"{place_of(storage, image.path)} is not the image that it was: its SHA-256 has changed")
    try:
        return len(content), digest, pixel_hash(png.read(io.BytesIO(content)))
    except png.BadImage as damage:
        return damage
