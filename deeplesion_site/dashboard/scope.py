"""Which part of the dataset a page speaks of: one release, one collection, or all that is visible."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from datasets.models import Collection, Lesion, Release
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors import visibility as visible
from deeplesion_site import access


@dataclass(frozen=True, slots=True)
class Scope:
    visibility: visible.Visibility
    releases: list[Release]
    collections: list[Collection]
    release: Release | None = None
    collection: Collection | None = None

    @property
    def key(self) -> str:
        """What the `data` parameter says."""
        if self.release:
            return f"release:{self.release.name}"
        return f"collection:{self.collection.slug}" if self.collection else ""

    @property
    def query(self) -> str:
        """The same as filters of the lesion list."""
        if self.release:
            return f"release={self.release.name}"
        return f"collection={self.collection.slug}" if self.collection else ""

    @property
    def source(self) -> Collection | None:
        """The collection that it lies in, None for all."""
        return self.release.collection if self.release else self.collection

    @property
    def counted(self) -> list[Collection]:
        """The collections that its lesions may be of."""
        return [self.source] if self.source else self.collections

    @property
    def everything(self) -> bool:
        """Whether unpublished lesions are counted too."""
        return self.visibility is visible.Visibility.EVERYTHING and not self.release

    def lesions(self) -> QuerySet[Lesion]:
        """Its lesions."""
        rows = lesion_selectors.listed(self.visibility)
        if self.release:
            return lesion_selectors.in_release(rows, self.visibility, release=self.release.name)
        return lesion_selectors.in_collection(rows, self.collection) if self.collection else rows


def scope_of(request: HttpRequest) -> Scope:
    """Read the `data` parameter: `release:NAME`, `collection:SLUG` or nothing; the list's own names do as well.

    Raises
    ------
    Http404 : no such release or collection, or not for this account.
    """
    seen = access.visibility(request.user)
    releases = list(visible.releases(seen))
    collections = list(visible.collections(seen))
    what, _, name = request.GET.get("data", "").partition(":")
    if not what:
        given = ((key, request.GET[key]) for key in ("release", "collection") if request.GET.get(key))
        what, name = next(given, ("", ""))
    release = next((item for item in releases if what == "release" and item.name == name), None)
    collection = next((item for item in collections if what == "collection" and item.slug == name), None)
    if what and release is None and collection is None:
        raise Http404
    return Scope(seen, releases, collections, release, collection)
