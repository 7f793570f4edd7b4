"""The dataset's tables. What must always hold is a constraint in the database."""

from datasets.models.annotation import Annotation
from datasets.models.identity import HarvestedStudy, IdentityKey, SourceIdentity
from datasets.models.lesion import STANDING, FollowUp, Lesion, LesionType
from datasets.models.location import LesionLocation, LocationModel, SeriesLocation, SliceLocation
from datasets.models.patient import Collection, Patient, Series, Slice, Study
from datasets.models.release import Release, ReleaseLesion, ReleaseManifest, ReleasePatient, Split
from datasets.models.review import STANDING_REVIEW, Proposal, Review

__all__ = [
    "STANDING",
    "STANDING_REVIEW",
    "Annotation",
    "Collection",
    "FollowUp",
    "HarvestedStudy",
    "IdentityKey",
    "Lesion",
    "LesionLocation",
    "LesionType",
    "LocationModel",
    "Patient",
    "Proposal",
    "Release",
    "ReleaseLesion",
    "ReleaseManifest",
    "ReleasePatient",
    "Review",
    "Series",
    "SeriesLocation",
    "Slice",
    "SliceLocation",
    "SourceIdentity",
    "Split",
    "Study",
]
