"""Header facts of a whole archive in little memory, study by study.

A folder shows its studies only once every file was looked at, and a large archive holds millions of files. Facts of
one study repeat each other, so they are kept as compressed batches: about a tenth of their size as objects.
"""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from datasets.pacs.instance import Instance

OPEN_LIMIT = 20_000
"""Instances that may wait uncompressed, over all studies."""


class Shelf:
    """Instances by StudyInstanceUID."""

    def __init__(self) -> None:
        self._open: dict[str, list[Instance]] = {}
        self._packed: dict[str, list[bytes]] = {}
        self._waiting = 0

    def add(self, instance: Instance) -> None:
        """Put an instance to its study."""
        self._open.setdefault(instance.StudyInstanceUID, []).append(instance)
        self._waiting += 1
        if self._waiting >= OPEN_LIMIT:
            self.pack()

    def pack(self) -> None:
        """Compress what waits."""
        for study, instances in self._open.items():
            facts = [[getattr(instance, name) for name in Instance.__slots__] for instance in instances]
            self._packed.setdefault(study, []).append(zlib.compress(json.dumps(facts).encode(), 1))
        self._open.clear()
        self._waiting = 0

    def studies(self) -> list[str]:
        """The StudyInstanceUIDs in order."""
        return sorted({*self._packed, *self._open})

    def instances(self, study: str) -> Iterable[Instance]:
        """The instances of one study in the order in which they came."""
        for batch in self._packed.get(study, ()):
            for facts in json.loads(zlib.decompress(batch)):
                values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in facts]
                yield Instance(*values)
        yield from self._open.get(study, ())
