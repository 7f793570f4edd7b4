"""A form for every kind of job, made of the types of its parameters, and read by the kind's own reader."""

import dataclasses
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django.http import QueryDict

from deeplesion_site import import_wish
from deeplesion_site.dashboard import job_selectors as selectors
from deeplesion_site.dashboard.job_words import label
from deeplesion_site.jobs import WISHES
from detection.bodypart.settings import PRESETS as BODYPART_PRESETS
from detection.presets import PRESETS
from workers.errors import InvalidParams
from workers.kind import Kind
from workers.kinds import bodypart, curate, harvest, import_download, release
from workers.params import Params, read

ABOUT = {
    "harvest": "Take the measurements of a PACS into a collection; begins with a dry run that takes nothing.",
    "import": "Import a DeepLesion download: its rows, and what its key images show; then publish a release of it.",
    "curate": "Mark noise, merge duplicates and propose pairs again, after thresholds changed; verdicts stay.",
    "release": "Publish a collection, split by patient; the downloads are prepared next.",
    "manifest": "Prepare the downloads of a release: hash its slices, write its manifest.",
    "export": "Pack a release as one zip, each image checked: downloads then have a length and a SHA-256, "
    "and can be resumed.",
    "bodypart": "Train the body-part regressor on a release; the lesions of its collection are located next.",
    "locate": "Locate the lesions of a collection in the body with a trained regressor.",
    "train": "Train the detector on a release; it is evaluated in the test split next.",
    "evaluate": "Run a trained detector over a split, and count how many lesions it finds.",
}
HELP = {
    "accession_numbers": "One per line; empty for all. They are kept in a file of the workers, never in the database.",
    "annotations": "SR or PR, one per line; empty for any.",
    "copy": "Into the site's own storage; otherwise the images stay where they are.",
    "context": "As in 30mm, or series for the whole volume.",
    "dry_run": "Counts what would be taken, and takes nothing.",
    "download": "A folder below IMPORT_DIR, which is set by whoever runs the server, that holds DL_info.csv.",
    "first_date": "As in 2024-01-31.",
    "fraction": "Above 0, at most 1.",
    "last_date": "As in 2024-12-31.",
    "phantom": "For a release of phantom patients alone.",
    "release.split": "official for the published one, or percent for training, validation and test, as in 70/15/15.",
    "strict": "Import nothing when any row is bad; otherwise the good ones go in.",
    "source": "dicomweb+https://host/root or dimse://AET@host:port. Credentials stand in the workers' environment.",
}

Choices = list[tuple[str, str]]


def _named(names: list[str]) -> Choices:
    return [(name, name) for name in names]


CHOICES: dict[str, Callable[[], Choices]] = {
    "download": lambda: _named(import_wish.downloads()),
    "release": lambda: _named(selectors.published_releases()),
    "collection": selectors.collections,
    "model": lambda: _named(selectors.location_models()),
    "run": selectors.trained_runs,
    "preset": lambda: _named(list(PRESETS)),
    "weights": lambda: [("", "what suits the preset"), ("imagenet", "imagenet"), ("random", "random")],
}
OTHERWISE: dict[tuple[str, str], Callable[[], Choices] | None] = {
    (harvest.KIND.name, "collection"): None,
    (import_download.KIND.name, "collection"): None,
    (import_download.KIND.name, "release"): None,
    (curate.KIND.name, "collection"): selectors.hospitals,
    (release.KIND.name, "release"): None,
    (bodypart.KIND.name, "preset"): lambda: _named(list(BODYPART_PRESETS)),
}
"""Where a kind takes a new name, or has choices of its own."""


@dataclass
class Field:
    """One parameter in a form."""

    name: str
    label: str
    help: str
    required: bool
    shape: str
    """One of "select", "check", "lines", "text"."""
    choices: Choices
    value: Any
    error: str = ""


@dataclass
class Form:
    """The parameters of a kind, with what was given and what is wrong with it."""

    kind: Kind[Any]
    fields: list[Field]

    def read(self, given: QueryDict) -> dict[str, Any] | None:
        """Give the parameters, or None and a sentence at every field that is wrong.

        What is not given keeps its default, so that nothing has to be sent twice.
        """
        values: dict[str, Any] = {}
        hints = typing.get_type_hints(params_of(self.kind))
        for item in self.fields:
            text = given.get(item.name, "").strip()
            item.value = item.name in given if item.shape == "check" else text
            if item.shape == "check":
                values[item.name] = item.value
            elif item.shape == "lines":
                values[item.name] = [line.strip() for line in text.splitlines() if line.strip()]
            elif text:
                values[item.name] = _number(text, hints[item.name])
        try:
            read(params_of(self.kind), values)
        except InvalidParams as error:
            self.refuse(error.mistakes)
            return None
        return values

    def refuse(self, mistakes: dict[str, str]) -> None:
        """Put sentences to their fields; one without a field goes to the first."""
        for name, sentence in mistakes.items():
            next((item for item in self.fields if item.name == name), self.fields[0]).error = sentence


def params_of(kind: Kind[Any]) -> type[Params]:
    """What is asked for: where a kind has one the wish, else the parameters themselves."""
    return WISHES[kind.name][0] if kind.name in WISHES else kind.params


def form_of(kind: Kind[Any]) -> Form:
    """The form of a kind, filled in with what holds unless something else is said."""
    cls = params_of(kind)
    hints = typing.get_type_hints(cls)
    return Form(kind, [_field(kind.name, field, hints[field.name]) for field in dataclasses.fields(cls)])


def _field(kind: str, field: Any, hint: Any) -> Field:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    value = "" if required or field.default in (None, dataclasses.MISSING) else field.default
    offered = OTHERWISE.get((kind, field.name), CHOICES.get(field.name))
    choices = offered() if offered else []
    if typing.get_origin(hint) is Literal:
        offered, choices = list, [(name, name) for name in typing.get_args(hint)]
    kinds = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    shape = "check" if bool in kinds else "select" if offered else "lines" if list[str] in kinds else "text"
    return Field(
        field.name,
        label(field.name),
        HELP.get(f"{kind}.{field.name}", HELP.get(field.name, "")),
        required,
        shape,
        choices,
        value,
    )


def _number(text: str, hint: Any) -> Any:
    """A number where one is wanted and given; else the text, which the reader refuses in a sentence."""
    kinds = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    return text
