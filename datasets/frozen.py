"""Triggers that hold what a constraint cannot: annotations and verdicts stay, and so do published releases.

Of a published release stay its members and their lines, the sizes, type and number of its lesions, the numbers that
its files are named by, and the images that were there. Curation, places in the body and reviews of its lesions go on.

They stand in the database, so that no code path, shell or import can get around them. On SQLite a row that
INSERT OR REPLACE pushes out counts as deleted only where `PRAGMA recursive_triggers` is on, as in the settings. A
migration that builds one of these tables anew drops the triggers before and creates them after: SQLite renames no
table that others look into.
"""

from typing import Any

from datasets import triggers
from datasets.triggers import Rule

ANNOTATION, REVIEW = "datasets_annotation", "datasets_review"
RELEASE, MANIFEST = "datasets_release", "datasets_releasemanifest"
PATIENT, LESION = "datasets_releasepatient", "datasets_releaselesion"
MEASURED, SLICE, SERIES = "datasets_lesion", "datasets_slice", "datasets_series"
STUDY, PERSON, COLLECTION = "datasets_study", "datasets_patient", "datasets_collection"

PUBLISHED = "EXISTS (SELECT 1 FROM datasets_release r WHERE r.id = {row}.release_id AND r.state = 'published')"
ANY_PUBLISHED = "EXISTS (SELECT 1 FROM datasets_release r WHERE r.state = 'published')"

MARK = (
    *("id", "collection_id", "fingerprint", "carrier", "tool", "year", "study", "label", "follow_up"),
    *("reported_long_mm", "reported_short_mm", "created"),
)
"""The columns of an annotation that are the mark itself; the others are what came of it."""

SETTLED = "OLD.reason NOT IN ('unresolved_image', 'undecodable')"

GEOMETRY = (
    *("slice_id", "x11", "y11", "x12", "y12", "x21", "y21", "x22", "y22", "box_x1", "box_y1", "box_x2", "box_y2"),
    *("long_px", "short_px", "long_mm", "short_mm", "long_um", "short_um", "first_slice", "last_slice"),
)
"""The columns of a lesion that were measured. What pixels, a location model, curation or a review says may follow."""

RELEASED = ("number", "type", *GEOMETRY)
"""The columns of a lesion that a release shows, counts its lesions by, or is cited with."""

IN_PUBLISHED = (
    "EXISTS (SELECT 1 FROM datasets_releaselesion m JOIN datasets_release r ON r.id = m.release_id "
    "WHERE m.lesion_id = OLD.id AND r.state = 'published')"
)

_OF_ONE = (
    "EXISTS (SELECT 1 FROM datasets_series s JOIN datasets_slice k ON k.series_id = s.id "
    "JOIN datasets_lesion l ON l.slice_id = k.id JOIN datasets_releaselesion m ON m.lesion_id = l.id "
    "JOIN datasets_release r ON r.id = m.release_id WHERE r.state = 'published' AND "
)
"""Whether a published release has a lesion l on a slice k of a series s such that what follows, with its bracket."""

NAMED = {
    SERIES: (
        ("study_id", "number", "columns", "rows", "spacing_x", "spacing_y"),
        f"{_OF_ONE}s.id = OLD.id)",
    ),
    STUDY: (
        ("patient_id", "number"),
        f"{_OF_ONE}s.study_id = OLD.id)",
    ),
    PERSON: (
        ("collection_id", "number"),
        "EXISTS (SELECT 1 FROM datasets_releasepatient p JOIN datasets_release r ON r.id = p.release_id "
        "WHERE p.patient_id = OLD.id AND r.state = 'published')",
    ),
    COLLECTION: (
        ("slug",),
        "EXISTS (SELECT 1 FROM datasets_release r WHERE r.collection_id = OLD.id AND r.state = 'published')",
    ),
}
"""What names a published release's files and gives its lesions their size, by table, and when a row is part of one."""

HELD = (
    f"{_OF_ONE}s.id = {{row}}.series_id "
    "AND l.first_slice <= {row}.number AND l.last_slice >= {row}.number AND r.published >= {row}.stored_at)"
)
"""Whether a published release holds a slice: around one of its lesions, and its image was there; see
`services.release_contents`."""

IMAGE = ("series_id", "number", "stored", "stored_at", "bytes", "sha256", "pixel_hash")
"""The columns of a slice that say which image is there. A hash may follow, once."""

_WAS_ONE_SINCE = (
    "EXISTS (SELECT 1 FROM datasets_release r WHERE r.state = 'published' AND r.published >= NEW.stored_at)"
)
JOINS = f"{_WAS_ONE_SINCE} AND {HELD.format(row='NEW')}"
"""Whether a slice would become part of a published release. What comes now does not, and costs one short look."""


def _changed(*columns: str) -> str:
    return "(" + " OR ".join(f"OLD.{column} {{differs}} NEW.{column}" for column in columns) + ")"


IMAGE_CHANGED = (
    f"(OLD.stored AND {_changed('series_id', 'number', 'stored', 'stored_at')} "
    f"OR OLD.sha256 <> '' AND {_changed('bytes', 'sha256')} OR OLD.pixel_hash <> '' AND {_changed('pixel_hash')})"
)

FOREIGN_MEMBER = (
    "NOT EXISTS (SELECT 1 FROM datasets_releasepatient p WHERE p.id = NEW.member_id AND p.release_id = NEW.release_id)"
)
FOREIGN_PATIENT = (
    "NOT EXISTS (SELECT 1 FROM datasets_patient p JOIN datasets_release r ON r.collection_id = p.collection_id "
    "WHERE p.id = NEW.patient_id AND r.id = NEW.release_id)"
)

CHANGE = "a published release cannot change"

RULES = (
    Rule("annotation_frozen", ANNOTATION, "UPDATE", f"{SETTLED} OR {_changed(*MARK)}", "an annotation never changes"),
    Rule("annotation_kept", ANNOTATION, "DELETE", "1 = 1", "an annotation is never deleted"),
    Rule("review_frozen", REVIEW, "UPDATE", "1 = 1", "a verdict never changes"),
    Rule("review_kept", REVIEW, "DELETE", "1 = 1", "a verdict is never deleted"),
    Rule("manifest_frozen", MANIFEST, "UPDATE", "1 = 1", "a manifest never changes"),
    Rule("manifest_kept", MANIFEST, "DELETE", "1 = 1", "a manifest is never deleted"),
    Rule("release_update", RELEASE, "UPDATE", "OLD.state = 'published'", CHANGE),
    Rule("release_delete", RELEASE, "DELETE", "OLD.state = 'published'", "a published release cannot be deleted"),
    Rule(
        *("release_collection", RELEASE, "UPDATE", "OLD.collection_id <> NEW.collection_id"),
        "a release draws on one collection",
    ),
    # Statements that name none of the columns never ask.
    Rule(
        *("lesion_frozen", MEASURED, f"UPDATE OF {', '.join(RELEASED)}"),
        *(f"{_changed(*RELEASED)} AND {IN_PUBLISHED}", CHANGE),
    ),
    *(
        Rule(
            *(f"{table.removeprefix('datasets_')}_named", table, f"UPDATE OF {', '.join(columns)}"),
            *(f"{_changed(*columns)} AND {part_of_one}", CHANGE),
        )
        for table, (columns, part_of_one) in NAMED.items()
    ),
    Rule(
        *("slice_frozen", SLICE, f"UPDATE OF {', '.join(IMAGE)}"),
        *(f"{IMAGE_CHANGED} AND {HELD.format(row='OLD')}", CHANGE),
    ),
    Rule(
        *("slice_moved", SLICE, "UPDATE OF series_id, number, stored_at"),
        *(f"{_changed('series_id', 'number', 'stored_at')} AND {JOINS}", CHANGE),
    ),
    Rule("slice_added", SLICE, "INSERT", JOINS, CHANGE),
    Rule("slice_kept", SLICE, "DELETE", HELD.format(row="OLD"), CHANGE),
    *(
        Rule(f"{name}_{event.lower()}", table, event, " OR ".join(PUBLISHED.format(row=row) for row in rows), CHANGE)
        for name, table in (("release_patient", PATIENT), ("release_lesion", LESION))
        for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",)))
    ),
    *(
        Rule(f"{name}_{event.lower()}", table, event, condition, sentence)
        for name, table, condition, sentence in (
            ("release_patient_own", PATIENT, FOREIGN_PATIENT, "a release draws on one collection"),
            ("release_lesion_own", LESION, FOREIGN_MEMBER, "a lesion and its patient belong to one release"),
        )
        for event in ("INSERT", "UPDATE")
    ),
    Rule(
        *("release_patient_stays", PATIENT, "UPDATE", "OLD.release_id <> NEW.release_id"),
        "a lesion and its patient belong to one release",
    ),
)

EMPTYING = (
    Rule(
        *("annotation_truncate", ANNOTATION, "TRUNCATE", "EXISTS (SELECT 1 FROM datasets_annotation)"),
        "an annotation is never deleted",
    ),
    Rule(
        *("review_truncate", REVIEW, "TRUNCATE", "EXISTS (SELECT 1 FROM datasets_review)"),
        "a verdict is never deleted",
    ),
    *(
        Rule(f"{name}_truncate", table, "TRUNCATE", ANY_PUBLISHED, "a published release cannot be deleted")
        for name, table in (
            ("release", RELEASE),
            ("manifest", MANIFEST),
            ("release_patient", PATIENT),
            ("release_lesion", LESION),
        )
    ),
)
"""PostgreSQL empties tables at once, without looking at rows. SQLite knows no such thing."""


def create(connection: Any) -> None:
    """Put the triggers in place; SQLite or PostgreSQL."""
    triggers.create(connection, RULES, EMPTYING)


def creating(vendor: str) -> list[str]:
    """The statements that put the triggers in place."""
    return triggers.creating(vendor, RULES, EMPTYING)


def drop(connection: Any) -> None:
    """Take the triggers away."""
    triggers.drop(connection, RULES, EMPTYING)
