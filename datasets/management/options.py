"""Options that several commands take."""

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from datasets.models import Collection


def check_collection(slug: str, title: str = "") -> None:
    """Refuse a short name, or a title, that no collection can have.

    Raises
    ------
    CommandError : the sentence names the option.
    """
    fields = {field.name: field for field in Collection._meta.fields}
    for option, field, value, kind in (
        ("--collection", fields["slug"], slug, "a short name of at most {} letters, digits, hyphens and underscores"),
        ("--title", fields["title"], title or slug, "at most {} characters"),
    ):
        try:
            field.clean(value, None)
        except ValidationError as error:
            raise CommandError(f"{option} takes {kind.format(field.max_length)}") from error
