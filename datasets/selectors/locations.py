"""Read queries over locations in the body."""

from datasets.models import LesionLocation


def state_of_locations() -> str:
    """A short text that changes whenever lesions were located."""
    newest = LesionLocation.objects.order_by("-id").values_list("id", flat=True).first()
    return str(newest or "none")
