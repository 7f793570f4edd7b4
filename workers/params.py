"""Parameters of a job: a frozen dataclass for each kind, read from JSON with one clear sentence per mistake."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from workers.errors import InvalidParams

P = TypeVar("P", bound="Params")

WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list[str]: "a list of texts",
}


@dataclass(frozen=True)
class Params:
    """Base of the parameters of a kind.

    Fields are str, int, float, bool, list[str] or Literal, each or None; what types cannot tell stands in `mistakes`.
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
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    wrong = {name: f"There is no parameter {name}." for name in values if name not in fields}
    taken: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            taken[name] = _number(values[name], hints[name])
            if not _fits(taken[name], hints[name]):
                wrong[name] = f"{name} must be {_expected(hints[name])}."
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
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and float in options(hint) and int not in options(hint) else value


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
