"""Which patient, study and series number a source object has: reserved once, found again by its keyed hash."""

import datetime
from dataclasses import dataclass

from django.db.models import Max, Model, QuerySet

from datasets.models import Collection, FollowUp, Patient, Series, SourceIdentity, Study
from datasets.pacs import deidentify
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.readers import Bookmark
from datasets.pacs.series import Volume
from datasets.services.fence import Fence

Level = SourceIdentity.Level
UNNUMBERED = 101
"""First number of follow-up sets to which a report gives none, so that F03 of the report is F03 here."""


class SeriesChanged(Exception):
    """A series has other slices than when it was harvested; its slices keep their numbers, so new ones have none."""

    def __init__(self, series: Series | None) -> None:
        super().__init__()
        self.series = series


@dataclass(frozen=True)
class Visit:
    """One study of the source, as far as its numbering needs it."""

    patient: str
    """Keyed hash."""
    study: str
    """Keyed hash."""
    date: datetime.date | None
    patients_first: datetime.date | None
    """Date of the patient's first study in the source."""


class Numbers:
    """The numbering of one collection."""

    def __init__(self, collection: Collection, pseudonymiser: Pseudonymiser, fence: Fence) -> None:
        self.collection = collection
        self.pseudonymiser = pseudonymiser
        self.fence = fence

    def find_series(self, volume: Volume) -> Series | None:
        """The series that an earlier harvest made of a volume.

        Raises
        ------
        SeriesChanged : the volume holds other slices than then.
        """
        if self.collection.pk is None:
            return None
        identity = (
            self._identities(Level.SERIES, self._series_digest(volume))
            .select_related("series__study__patient__collection")
            .first()
        )
        if identity is None:
            return None
        if identity.content != self._content(volume):
            raise SeriesChanged(identity.series)
        return identity.series

    def series(self, visit: Visit, volume: Volume) -> Series:
        """Find the series of a volume, or reserve its numbers and those above it."""
        with self.fence():
            return self._series(visit, volume)

    def _series(self, visit: Visit, volume: Volume) -> Series:
        # One harvest at a time may number: on PostgreSQL by this lock, on SQLite every transaction writes alone.
        Collection.objects.select_for_update().get(pk=self.collection.pk)
        known = self.find_series(volume)
        if known is not None:
            return known
        study = self._study(visit, volume)
        facts = deidentify.image_facts(volume.instances[0])
        series = Series.objects.create(
            study=study,
            number=_next(Series, study=study),
            columns=facts.columns,
            rows=facts.rows,
            spacing_x=volume.spacing[0],
            spacing_y=volume.spacing[1],
            slice_interval=volume.interval,
            slices_in_volume=len(volume.instances),
            kernel=facts.kernel,
            kvp=facts.kvp,
            patient_position=facts.patient_position,
            lossy=any(deidentify.image_facts(instance).lossy for instance in volume.instances),
        )
        self._reserve(Level.SERIES, self._series_digest(volume), series=series, content=self._content(volume))
        return series

    def follow_up(self, patient: Patient, bookmark: Bookmark) -> FollowUp | None:
        """The follow-up set that a bookmark names by its Tracking UID, or else by its number, or else by its name."""
        names = (("uid", bookmark.tracking_uid), ("number", bookmark.follow_up), ("name", bookmark.name))
        name = next((each for each in names if each[1]), None)
        if name is None:
            return None
        identity = self.pseudonymiser.digest("follow-up", patient.collection.slug, str(patient.number), *name)
        known = FollowUp.objects.filter(patient=patient, identity=identity).first()
        if known is not None:
            return known
        number = int(bookmark.follow_up[1:] or 0) if bookmark.follow_up else 0
        if number == 0 or FollowUp.objects.filter(patient=patient, number=number).exists():
            number = max(_next(FollowUp, patient=patient), UNNUMBERED)
        return FollowUp.objects.create(patient=patient, number=number, identity=identity)

    def _study(self, visit: Visit, volume: Volume) -> Study:
        identity = self._identities(Level.STUDY, visit.study).select_related("study__patient__collection").first()
        if identity is not None and identity.study is not None:
            return identity.study
        patient, first_date = self._patient(visit, volume)
        facts = deidentify.patient_facts(volume.instances[0])
        study = Study.objects.create(
            patient=patient,
            number=_next(Study, patient=patient),
            age=facts.age,
            days_since_first=(visit.date - first_date).days if visit.date and first_date else None,
        )
        self._reserve(Level.STUDY, visit.study, study=study)
        return study

    def _patient(self, visit: Visit, volume: Volume) -> tuple[Patient, datetime.date | None]:
        identity = self._identities(Level.PATIENT, visit.patient).select_related("patient__collection").first()
        if identity is not None and identity.patient is not None:
            return identity.patient, identity.first_date
        patient = Patient.objects.create(
            collection=self.collection,
            number=_next(Patient, collection=self.collection),
            sex=deidentify.patient_facts(volume.instances[0]).sex,
        )
        self._reserve(Level.PATIENT, visit.patient, patient=patient, first_date=visit.patients_first)
        return patient, visit.patients_first

    def _identities(self, level: Level, digest: str) -> QuerySet[SourceIdentity]:
        return SourceIdentity.objects.filter(collection=self.collection, level=level, digest=digest)

    def _reserve(self, level: Level, digest: str, **target: object) -> None:
        SourceIdentity.objects.create(collection=self.collection, level=level, digest=digest, **target)

    def _series_digest(self, volume: Volume) -> str:
        return self.pseudonymiser.digest("series", volume.key)

    def _content(self, volume: Volume) -> str:
        return self.pseudonymiser.digest("content", *(instance.SOPInstanceUID for instance in volume.instances))


def _next(model: type[Model], **parent: object) -> int:
    return (model._default_manager.filter(**parent).aggregate(last=Max("number"))["last"] or 0) + 1
