"""Parameters of a job: a frozen dataclass for each kind, read from JSON with one clear sentence per mistake."""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeVar

from datasets.models.release import NAME
from workers.errors import InvalidParams

P = TypeVar("P", bound="Params")

WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list[str]: "a list of texts",
}


LONGEST_TEXT = 1000
LARGEST = 2**63 - 1
"""Whole numbers beyond do not fit into a column of the database."""


class Rule(Protocol):
    """What a value that is not the default must keep to."""

    @property
    def wanted(self) -> str:
        """In words, to follow `must be`."""

    def holds(self, value: Any) -> bool:
        """Whether a value of the right type keeps to it."""


@dataclass(frozen=True)
class Within:
    """A number between two bounds, both of them included unless `above`."""

    low: float
    high: float
    above: bool = False
    """The lower bound itself is not taken."""

    @property
    def wanted(self) -> str:
        return f"above {self.low:g} and at most {self.high:g}" if self.above else f"from {self.low} to {self.high}"

    def holds(self, value: float) -> bool:
        return value <= self.high and (value > self.low if self.above else value >= self.low)


@dataclass(frozen=True)
class Like:
    """A text of a form."""

    wanted: str
    pattern: str

    def holds(self, value: str) -> bool:
        return re.match(self.pattern, value) is not None


ReleaseName = Annotated[
    str, Like("the name of a release: lower-case letters, digits, dot, dash, underscore; at most 64", NAME)
]
CollectionName = Annotated[
    str, Like("the name of a collection: letters, digits, dash, underscore; at most 50", r"^[-a-zA-Z0-9_]{1,50}\Z")
]
Seed = Annotated[int, Within(0, 2**31 - 1)]


@dataclass(frozen=True)
class Params:
    """Base of the parameters of a kind.

    Fields are str, int, float, bool, list[str] or Literal, each or None. A rule for a field stands in its annotation;
    what needs more than the value by itself stands in `mistakes`.
    """

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Give the name of a field and a sentence for each value that makes no sense."""
        yield from ()


def read(cls: type[P], values: Mapping[str, Any]) -> P:
    """Read parameters as they came from a form, the API or a job's row.

    Raises
    ------
    InvalidParams : with a sentence for every mistake.
    """
    hints, full = typing.get_type_hints(cls), typing.get_type_hints(cls, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    wrong = {name: f"There is no parameter {name}." for name in values if name not in fields}
    taken: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            taken[name] = _number(values[name], hints[name])
            if not _fits(taken[name], hints[name]):
                wrong[name] = f"{name} must be {_expected(hints[name])}."
            elif taken[name] != field.default and (wanted := _broken(taken[name], full[name])):
                wrong[name] = f"{name} must be {wanted}."
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            wrong[name] = f"{name} is missing."
    if wrong:
        raise InvalidParams(wrong)
    params = cls(**taken)
    wrong = dict(params.mistakes())
    if wrong:
        raise InvalidParams(wrong)
    return params


def _number(value: Any, hint: Any) -> Any:
    """JSON does not tell 30 from 30.0."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    return float(value) if whole and float in options(hint) and int not in options(hint) else value


def _broken(value: Any, hint: Any) -> str:
    """What a value of the right type must be and is not, in words; empty where nothing is wrong with it."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and (wanted := _unfit(text)):
            return wanted
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"from {-LARGEST} to {LARGEST}"
    rules: tuple[Rule, ...] = getattr(hint, "__metadata__", ())
    return next((rule.wanted for rule in rules if value is not None and not rule.holds(value)), "")


def _unfit(text: str) -> str:
    """What a text must be that no database would take."""
    if len(text) > LONGEST_TEXT:
        return f"a text of at most {LONGEST_TEXT} characters"
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return "a text without characters that cannot be stored"
    return ""


def options(hint: Any) -> tuple[Any, ...]:
    """The types of a hint: itself, or those that a union joins."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    for option in options(hint):
        if typing.get_origin(option) is Literal:
            if value in typing.get_args(option):
                return True
        elif option == list[str]:
            if isinstance(value, list) and all(isinstance(each, str) for each in value):
                return True
        elif type(value) is option:
            return True
    return False


def _expected(hint: Any) -> str:
    words: list[str] = []
    for option in options(hint):
        if typing.get_origin(option) is Literal:
            words += [str(value) for value in typing.get_args(option)]
        elif option is not type(None):
            words.append(WORDS[option])
    return " or ".join(words)
