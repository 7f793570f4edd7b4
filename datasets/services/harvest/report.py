"""What a harvest found, for the person who ran it and for the job's page."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datasets.models import Annotation
from datasets.pacs.pixels import PixelError
from datasets.pacs.source import SourceError
from datasets.selectors.harvest_problems import named
from datasets.words import counted

DRY_RUN = "Dry run: nothing was written. No pixels were read: a harvest leaves out what it cannot decode."


@dataclass
class Report:
    """Counts; and problems, which name places inside the source and so are shown in the terminal alone."""

    dry_run: bool
    studies: int = 0
    studies_with_bookmarks: int = 0
    annotations: int = 0
    known: int = 0
    """Annotations that an earlier harvest took, or that another copy of their document gave."""
    unchanged: int = 0
    """Studies left out because they are as they were at the last harvest; not among `studies`."""
    lesions: int = 0
    """New ones."""
    slices: int = 0
    """New ones."""
    changed_series: int = 0
    """Their slices are not those of the earlier harvest, so their new marks wait."""
    curated: dict[str, int] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why new annotations gave no lesion."""
    tools: Counter[str] = field(default_factory=Counter)
    modalities: Counter[str] = field(default_factory=Counter)
    years: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    """What becomes of each new mark; for the terminal of a dry run."""
    problems: list[str] = field(default_factory=list)
    """What was left out, each with its place."""
    errors: Counter[str] = field(default_factory=Counter)
    """The problems by the name of their error."""
    at: int = 0
    """The place in the harvest of the study that is worked on, from 1; 0 outside of any."""
    failed_studies: dict[str, list[int]] = field(default_factory=dict)
    """By the name of an error, the studies in which it happened, by their place in the harvest."""
    notes: list[str] = field(default_factory=list)
    """What is odd with what was taken, each with its place."""
    noted: Counter[str] = field(default_factory=Counter)
    """The notes by name."""
    noted_studies: dict[str, list[int]] = field(default_factory=dict)
    """By the name of a note, the studies in which it was made, by their place in the harvest."""

    named_in: str = ""
    """The file below DATA_DIR in which problems and notes stand with their places, where no terminal shows them."""

    def add(self, place: str, error: Exception) -> None:
        """Note what went wrong, under the name of its first cause."""
        self.add_named(place, str(error), name_of(error))

    def add_named(self, place: str, sentence: str, name: str, marks: int = 1) -> None:
        """Note what went wrong; once where it is the same with several marks of one place."""
        self.problems.append(f"{place}: {sentence}" + (f" ({marks} marks)" if marks > 1 else ""))
        self.errors[name] += marks
        self._place(self.failed_studies, name)

    def note(self, place: str, sentence: str, name: str) -> None:
        """Note what is odd."""
        self.notes.append(f"{place}: {sentence}")
        self.noted[name] += 1
        self._place(self.noted_studies, name)

    def _place(self, studies: dict[str, list[int]], name: str) -> None:
        if self.at and self.at not in studies.setdefault(name, []):
            studies[name].append(self.at)

    def as_json(self) -> dict[str, Any]:
        """What may be stored: everything but the places."""
        counts = {
            name: dict(sorted(getattr(self, name).items()))
            for name in ("reasons", "tools", "modalities", "years", "errors", "noted")
        }
        return {
            "dry_run": self.dry_run,
            "studies": self.studies,
            "studies_with_bookmarks": self.studies_with_bookmarks,
            "annotations": self.annotations,
            "known": self.known,
            "unchanged": self.unchanged,
            "lesions": self.lesions,
            "slices": self.slices,
            "changed_series": self.changed_series,
            "problems": len(self.problems),
            "curated": self.curated,
            "failed_studies": self.failed_studies,
            "noted_studies": self.noted_studies,
            **counts,
            **({"named_in": self.named_in} if self.named_in else {}),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Report":
        """The report whose `as_json` was stored: without details, and of the problems only that there were some."""
        report = cls(dry_run=stored["dry_run"])
        for name, value in stored.items():
            if name != "problems":
                setattr(report, name, Counter(value) if isinstance(getattr(report, name), Counter) else value)
        return report

    def lines(self) -> list[str]:
        """A summary of a few lines."""
        lines = [DRY_RUN] if self.dry_run else []
        lines += [
            f"{counted(self.studies, 'study', 'studies')}, {self.studies_with_bookmarks} with bookmarks; "
            f"{counted(self.annotations, 'annotation')}, {self.known} of them known.",
            f"New lesions: {self.lesions}. New slices: {self.slices}. "
            f"Series changed since they were harvested: {self.changed_series}.",
        ]
        if self.unchanged:
            unchanged = "1 study is as it was" if self.unchanged == 1 else f"{self.unchanged} studies are as they were"
            lines.append(f"{unchanged} at the last harvest.")
        if self.reasons:
            total = self.reasons.total()
            lines.append(f"{counted(total, 'annotation')} give{'s' * (total == 1)} no lesion:")
            lines += [
                f"  {count:6d}  {reason}: {Annotation.Reason(reason).label}"
                for reason, count in self.reasons.most_common()
            ]
        for name, counts in (("year", self.years), ("modality", self.modalities), ("tool", self.tools)):
            if counts:
                ordered = sorted(counts.items()) if name == "year" else counts.most_common()
                lines.append(f"New annotations by {name}: {', '.join(f'{key} {count}' for key, count in ordered)}.")
        if self.curated:
            lines.append(
                f"{counted(self.curated['merged'], 'duplicate mark')} merged, "
                f"{self.curated['possibly_noisy']} of {counted(self.curated['lesions'], 'lesion')} possibly noisy."
            )
        if self.noted:
            lines.append("Taken although something is odd:")
            lines += _told(self.noted)
        if self.errors:
            lines.append(f"{counted(self.errors.total(), 'problem')}:")
            lines += _told(self.errors)
        if self.named_in:
            lines.append(
                f"Which studies and files these are is in {self.named_in} in the worker's DATA_DIR, for a week."
            )
        return lines


def _told(counts: Counter[str]) -> list[str]:
    """Counts by name, each name with its words."""
    return [f"  {each.count:6d}  {each.name}: {each.meaning}" for each in named(counts, {})]


def name_of(error: BaseException) -> str:
    """The class of an error, or of the error of ours behind it."""
    while isinstance(error.__cause__, SourceError | PixelError):
        error = error.__cause__
    return type(error).__name__
