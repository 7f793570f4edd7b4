"""Up to which state a source was harvested: study by study, so that an interrupted harvest loses none of it."""

from typing import Any

from datasets.models import Collection, HarvestedStudy
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.source import Study


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

    def changed(self, study: Study) -> bool:
        """Whether a study is not as it was when it was last harvested; a source that does not count cannot tell."""
        if self._collection.pk is None or not study.NumberOfStudyRelatedInstances:
            return True
        return not HarvestedStudy.objects.filter(
            **self._names(study), instances=study.NumberOfStudyRelatedInstances
        ).exists()

    def remember(self, study: Study) -> None:
        """Note that a study was harvested without anything left to be tried again."""
        HarvestedStudy.objects.update_or_create(
            **self._names(study), defaults={"instances": study.NumberOfStudyRelatedInstances}
        )

    def _names(self, study: Study) -> dict[str, Any]:
        return {
            "collection": self._collection,
            "source": self._source,
            "study": self._pseudonymiser.digest("study", study.StudyInstanceUID),
        }
