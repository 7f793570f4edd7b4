"""What the survey of a download has seen, kept series by series: one that was broken off goes on from there.

Looking at the key images of the whole DeepLesion takes many minutes and writes nothing to the database, so that
without a journal all of it would be lost with its worker.
"""

import json
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from datasets.geometry import region
from datasets.services.import_images import KeyImage, SeriesFolder, Wanted


class Journal:
    """Remembers in a file, a line for every series; a line that was cut off does not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = dict(_read(path))

    def find(self, name: str, wanted: dict[int, Wanted]) -> SeriesFolder | None:
        line = self._lines.pop(name, None)
        if line is None:
            return None
        folder = SeriesFolder(
            array("I", line["numbers"]), array("I", line["sizes"]), dict(map(_key_image, line["keys"]))
        )
        seen = all(
            number in folder.key_images and what.boxes <= set(folder.key_images[number].statistics)
            for number, what in wanted.items()
        )
        return folder if seen else None

    def add(self, name: str, folder: SeriesFolder) -> None:
        if folder.problems:
            return
        keys = [
            (number, image.pixel_hash, list(image.statistics.items())) for number, image in folder.key_images.items()
        ]
        line = {"name": name, "numbers": folder.numbers.tolist(), "sizes": folder.sizes.tolist(), "keys": keys}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.is_file():
        for text in path.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                yield line["name"], line


def _key_image(key: tuple[int, str, list[Any]]) -> tuple[int, KeyImage]:
    number, digest, statistics = key
    return number, KeyImage(
        digest, {tuple(box): None if found is None else region.Statistics(*found) for box, found in statistics}
    )
