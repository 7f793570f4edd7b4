"""A form for every kind of job, made of the types of its parameters, and read by the kind's own reader."""

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any, Literal

from django.http import QueryDict

from deeplesion_site.dashboard.job_choices import CHOICES, DATES, HELP, OTHERWISE, SUGGESTED, Choices
from deeplesion_site.dashboard.job_words import label
from deeplesion_site.jobs import wish_of
from workers.errors import InvalidParams
from workers.kind import Kind
from workers.params import options, read


@dataclass
class Field:
    """One parameter in a form."""

    name: str
    label: str
    help: str
    required: bool
    shape: str
    """One of "select", "check", "checks", "lines", "date", "number", "text"."""
    choices: Choices
    suggested: list[str]
    value: Any
    error: str = ""

    @property
    def shown(self) -> str:
        """What is chosen, in words; empty where nothing is."""
        if self.shape == "check":
            return "yes" if self.value else ""
        given = self.value if isinstance(self.value, list) else [self.value]
        words = dict(self.choices)
        return ", ".join(words.get(str(value), str(value)) for value in given if value != "")

    @property
    def sent(self) -> list[str]:
        """The values that a form sends of it."""
        if self.shape == "check":
            return ["on"] if self.value else []
        return [str(value) for value in (self.value if isinstance(self.value, list) else [self.value])]


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
        hints = typing.get_type_hints(wish_of(self.kind))
        for item in self.fields:
            text = given.get(item.name, "").strip()
            item.value = item.name in given if item.shape == "check" else text
            if item.shape == "checks":
                item.value = values[item.name] = given.getlist(item.name)
            elif item.shape == "check":
                values[item.name] = item.value
            elif item.shape == "lines":
                values[item.name] = [line.strip() for line in text.splitlines() if line.strip()]
            elif text:
                values[item.name] = _number(text, hints[item.name])
        try:
            read(wish_of(self.kind), values)
        except InvalidParams as error:
            self.refuse(error.mistakes)
            return None
        return values

    def suggest(self, given: QueryDict) -> None:
        """Fill in what a link brings along; it is checked when the form is sent, like everything in it."""
        for item in self.fields:
            if item.name in given and item.shape not in ("check", "checks"):
                item.value = given[item.name]

    def refuse(self, mistakes: dict[str, str]) -> None:
        """Put sentences to their fields; one without a field goes to the first."""
        for name, sentence in mistakes.items():
            next((item for item in self.fields if item.name == name), self.fields[0]).error = sentence


def form_of(kind: Kind[Any]) -> Form:
    """The form of a kind, filled in with what holds unless something else is said."""
    cls = wish_of(kind)
    hints = typing.get_type_hints(cls)
    return Form(kind, [_field(kind.name, field, hints[field.name]) for field in dataclasses.fields(cls)])


def _field(kind: str, field: Any, hint: Any) -> Field:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    value = "" if required or field.default in (None, dataclasses.MISSING) else field.default
    offered = OTHERWISE.get((kind, field.name), CHOICES.get(field.name))
    choices = offered() if offered else []
    kinds = options(hint)
    named = [str(name) for each in kinds if typing.get_origin(each) is Literal for name in typing.get_args(each)]
    if named and not offered:
        choices = [(name, name) for name in named]
    return Field(
        field.name,
        label(field.name),
        HELP.get(f"{kind}.{field.name}", HELP.get(field.name, "")),
        required,
        _shape(field.name, kinds, chosen=bool(named or offered)),
        choices,
        SUGGESTED.get(f"{kind}.{field.name}", SUGGESTED.get(field.name, [])),
        value,
    )


def _shape(name: str, kinds: tuple[Any, ...], *, chosen: bool) -> str:
    if bool in kinds:
        return "check"
    if list[str] in kinds:
        return "checks" if chosen else "lines"
    if chosen:
        return "select"
    if name in DATES:
        return "date"
    return "number" if int in kinds or float in kinds else "text"


def _number(text: str, hint: Any) -> Any:
    """A number where one is wanted and given; else the text, which the reader refuses in a sentence."""
    kinds = options(hint)
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    return text
