"""What radiologists marked, and what became of it (the paper's Figs. 3 to 5)."""

from django.db.models import Count, Q, QuerySet

from datasets.models import Annotation, Collection
from datasets.selectors.visibility import Visibility, collections


def seen(visibility: Visibility, collection: Collection | None = None) -> QuerySet[Annotation]:
    """Annotations of one or of all visible collections. They are shown as counts alone."""
    if collection is not None:
        return Annotation.objects.filter(collection=collection)
    return Annotation.objects.filter(collection__in=collections(visibility).values("pk"))


def studies_per_year(rows: QuerySet[Annotation]) -> list[tuple[int, int]]:
    """Studies with at least one bookmark, of every modality, per year."""
    return list(
        rows.filter(year__isnull=False).order_by("year").values_list("year").annotate(n=Count("study", distinct=True))
    )


def modalities(rows: QuerySet[Annotation]) -> list[tuple[str, int]]:
    """Bookmarks per modality of the image, most frequent first."""
    found = rows.order_by().values_list("modality").annotate(n=Count("id"))
    return sorted(((name or "unknown", count) for name, count in found), key=lambda item: (-item[1], item[0]))


def tools(rows: QuerySet[Annotation]) -> list[tuple[str, int, int]]:
    """Bookmarks on CT per tool, most frequent first: tool, those that became a lesion, the others."""
    found = (
        rows.filter(modality="CT")
        .order_by()
        .values_list("tool")
        .annotate(kept=Count("id", filter=Q(reason="")), other=Count("id", filter=~Q(reason="")))
    )
    rows_ = [(str(Annotation.Tool(tool).label), kept, other) for tool, kept, other in found]
    return sorted(rows_, key=lambda item: (-(item[1] + item[2]), item[0]))


def reasons(rows: QuerySet[Annotation]) -> list[tuple[str, int]]:
    """Why bookmarks did not become a lesion, most frequent first."""
    found = rows.exclude(reason="").order_by().values_list("reason").annotate(n=Count("id"))
    return sorted(
        ((str(Annotation.Reason(reason).label), count) for reason, count in found), key=lambda item: -item[1]
    )
