"""Up to which state a source was harvested: study by study, so that an interrupted harvest loses none of it."""

from collections.abc import Iterable
from typing import Any

from datasets.models import Collection, HarvestedStudy
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.instance import Instance
from datasets.pacs.readers.document import ENCAPSULATED_XML
from datasets.pacs.source import Study

IMAGES = frozenset(["CR", "CT", "DX", "MG", "MR", "NM", "PT", "US", "XA"])
"""Modalities of images alone: what holds nothing else holds no annotation."""


class History:
    """What one collection has taken from one source.

    Parameters
    ----------
    label : of the source, without any secret.
    """

    def __init__(self, collection: Collection, pseudonymiser: Pseudonymiser, label: str) -> None:
        self._collection = collection
        self._pseudonymiser = pseudonymiser
        self._source = pseudonymiser.digest("source", label)
        self._seen: list[tuple[Study, dict[str, Any]]] = []
        """Studies without bookmarks, to be remembered once there is a collection."""
        self.unchanged = 0
        """Studies that were found to be as they were."""

    def may_have_changed(self, study: Study) -> bool:
        """Whether a study may be another than when it was last harvested, from what a list of studies says.

        A report may have taken another's place, so that an equal number of objects proves something only where
        there are none but images.
        """
        before = self._before(study)
        if before is None or not study.NumberOfStudyRelatedInstances:
            return True
        images_alone = bool(study.ModalitiesInStudy) and IMAGES.issuperset(study.ModalitiesInStudy)
        changed = before.instances != study.NumberOfStudyRelatedInstances or not images_alone
        self.unchanged += not changed
        return changed

    def changed(self, study: Study, instances: list[Instance]) -> bool:
        """Whether a study holds other objects than when it was last harvested, or a document: it may have grown."""
        before = self._before(study)
        changed = before is None or before.content != self._content(instances)
        changed |= any(instance.SOPClassUID == ENCAPSULATED_XML for instance in instances)
        self.unchanged += not changed
        return changed

    def remember(self, study: Study, instances: Iterable[Instance]) -> None:
        """Note that a study was harvested without anything left to be tried again."""
        state = {"instances": study.NumberOfStudyRelatedInstances, "content": self._content(instances)}
        self._seen.append((study, state))
        if self._collection.pk is not None:
            for each, found in self._seen:
                HarvestedStudy.objects.update_or_create(**self._names(each), defaults=found)
            self._seen.clear()

    def forget(self, study: Study) -> None:
        """Note that something of a study is to be tried again, even if it was whole at an earlier harvest."""
        if self._collection.pk is not None:
            HarvestedStudy.objects.filter(**self._names(study)).delete()

    def _before(self, study: Study) -> HarvestedStudy | None:
        if self._collection.pk is None:
            return None
        return HarvestedStudy.objects.filter(**self._names(study)).first()

    def _content(self, instances: Iterable[Instance]) -> str:
        return self._pseudonymiser.digest("content", *sorted(instance.SOPInstanceUID for instance in instances))

    def _names(self, study: Study) -> dict[str, Any]:
        return {
            "collection": self._collection,
            "source": self._source,
            "study": self._pseudonymiser.digest("study", study.StudyInstanceUID),
        }
