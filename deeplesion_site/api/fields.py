"""Form fields that say in one sentence what they would have taken."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

_NAMED = 30
"""So many choices are named in full; of a longer list, the first ones."""


def quoted(value: Any) -> str:
    """What was given, short enough for a sentence."""
    text = str(value)
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


def one_of(values: Iterable[str]) -> str:
    """Name the choices there are."""
    names = [name for name in values if name]
    if not names:
        return "there is none to choose from"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"choose from {', '.join(names[:_NAMED])}{more}"


class Choice(forms.ChoiceField):
    """One of some names."""

    def validate(self, value: Any) -> None:
        if value and not self.valid_value(value):
            pairs = cast(Iterable[tuple[str, str]], self.choices)
            raise ValidationError(f"{quoted(value)} is not known; {one_of(name for name, _ in pairs)}.")


class Codes(forms.MultipleChoiceField):
    """Names or codes of a vocabulary, as repeated parameters or with commas between."""

    def __init__(self, vocabulary: dict[int, str], **kwargs: Any) -> None:
        self.vocabulary = vocabulary
        super().__init__(choices=[(name, name) for name in vocabulary.values()], **kwargs)

    def to_python(self, value: Any) -> list[str]:
        words = [word.strip() for text in super().to_python(value) for word in text.split(",")]
        return [self.vocabulary.get(int(word), word) if _is_whole(word) else word for word in words if word]

    def validate(self, value: Any) -> None:
        for word in value:
            if not self.valid_value(word):
                raise ValidationError(f"{quoted(word)} is not known; {one_of(self.vocabulary.values())}.")


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal() and len(word) < 10


class Number(forms.DecimalField):
    """A number between two limits."""

    def clean(self, value: Any) -> Any:
        try:
            return super().clean(value)
        except ValidationError:
            kind = "whole number" if self.decimal_places == 0 else "number"
            raise ValidationError(
                f"{quoted(value)} is not a {kind} from {self.min_value} to {self.max_value}."
            ) from None
