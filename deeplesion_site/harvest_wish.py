"""A harvest as it is asked for from a page or the API: read, checked, and kept where a worker finds it.

Credentials stand in no form: the worker takes them from its environment, and tells them to the servers alone that
whoever runs the site has named. A folder cannot be named, because a path that comes over the network is none of ours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from datasets.pacs.addresses import check_trust, label_of
from datasets.pacs.deidentify import KeyUnusable
from datasets.pacs.source import SourceError, UntrustedServer
from datasets.services.errors import Refused
from datasets.services.harvest.order import ANNOTATIONS, Order, accession_numbers, context_mm
from workers import harvesting
from workers.errors import InvalidParams
from workers.models import Job
from workers.params import Params, read


@dataclass(frozen=True)
class HarvestWish(Params):
    source: str
    collection: str = "hospital"
    title: str = ""
    accession_numbers: list[str] = field(default_factory=list)
    first_date: str = ""
    last_date: str = ""
    annotations: list[str] = field(default_factory=list)
    since_last: bool = False
    context: str = "30mm"
    dry_run: bool = True

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """What the types cannot tell."""
        for name in ("first_date", "last_date"):
            try:
                _day(getattr(self, name))
            except ValueError:
                yield name, f"{name} must be a day, as in 2024-01-31."
        if set(self.annotations) - ANNOTATIONS:
            yield "annotations", f"annotations are stored in {' or '.join(sorted(ANNOTATIONS))}."
        try:
            context_mm(self.context)
        except ValueError:
            yield "context", "context must be millimetres, 0 or more, as in 30mm, or series."
        if self.source.startswith("dir:"):
            yield "source", "source must be a server; a folder is harvested by manage.py harvest."
        else:
            try:
                label_of(self.source)
                check_trust(self.source, settings.DICOMWEB_HOSTS)
            except UntrustedServer as error:
                yield "source", f"source cannot be used: {error}."
            except SourceError as error:
                yield "source", f"source is no address: {error}."

    def order(self) -> Order:
        """The order that this makes up."""
        return Order(
            source=self.source,
            collection=self.collection,
            title=self.title,
            accession_numbers=accession_numbers(self.accession_numbers) if self.accession_numbers else (),
            first_date=_day(self.first_date),
            last_date=_day(self.last_date),
            annotated_in=tuple(self.annotations),
            since_last=self.since_last,
            context_mm=context_mm(self.context),
        )


def params_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is asked for; give the parameters of the job.

    Raises
    ------
    InvalidParams
    """
    wish = read(HarvestWish, values)
    try:
        return {**harvesting.params_of(wish.order()), "dry_run": wish.dry_run}
    except (harvesting.NotAHospital, ValidationError) as error:
        said = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        raise InvalidParams({"collection": f"collection cannot be taken: {said.rstrip('.')}."}) from None
    except (Refused, SourceError, KeyUnusable) as error:
        raise InvalidParams({"source": f"The harvest makes no sense: {str(error).rstrip('.')}."}) from None


def rehearsed(values: Mapping[str, Any]) -> Job | None:
    """The latest dry run of the very same harvest that has counted; nothing is kept for this.

    Raises
    ------
    InvalidParams
    """
    try:
        name = harvesting.name_of(read(HarvestWish, values).order())
    except KeyUnusable as error:
        raise InvalidParams({"source": f"The harvest makes no sense: {str(error).rstrip('.')}."}) from None
    counted = Job.objects.filter(kind="harvest", state=Job.State.SUCCEEDED, params__order=name, params__dry_run=True)
    return counted.order_by("-id").first()


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
