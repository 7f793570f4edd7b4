"""Publishing a collection and bringing slices to it take turns, so that a release holds what it counted and no more.

A release reads its lesions, writes their lines, counts their slices and tells the moment from which later slices are
not its own; what is committed in between, and says that it came before, would join it uncounted.
"""

from datasets.models import Collection


def take_turn(collection: Collection) -> None:
    """Wait for whoever has the collection's turn, and have it until the transaction ends.

    On PostgreSQL a lock on the collection's row, which whoever only refers to the row need not wait for; on SQLite
    every transaction writes alone.
    """
    Collection.objects.select_for_update(no_key=True).get(pk=collection.pk)
