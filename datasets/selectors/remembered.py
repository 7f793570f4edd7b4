"""Statistics that are kept for a while: published data changes by a new release or new locations alone."""

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

from datasets.selectors.locations import state_of_locations
from datasets.selectors.releases import state_of_published
from datasets.selectors.visibility import Visibility

T = TypeVar("T")

_PUBLISHED_SECONDS = 24 * 3600
_LIVE_SECONDS = 30


def remembered(name: str, visibility: Visibility, compute: Callable[[], T]) -> T:
    """Give what `compute` gave before, as long as nothing was published or located since.

    What people see who see everything may be half a minute old, but for the places of lesions.
    """
    if visibility is Visibility.EVERYTHING:
        key, seconds = f"everything:{state_of_locations()}:{name}", _LIVE_SECONDS
    else:
        key, seconds = f"{visibility.value}:{state_of_published()}:{state_of_locations()}:{name}", _PUBLISHED_SECONDS
    known = cache.get(key)
    if known is None:
        known = compute()
        cache.set(key, known, seconds)
    found: T = known
    return found
