"""What the forms of jobs say: a sentence per kind, help and choices per parameter."""

import typing
from collections.abc import Callable

from deeplesion_site import import_wish
from deeplesion_site.dashboard import job_selectors as selectors
from detection.presets import Backbone
from workers.kinds import bodypart, curate, harvest, import_download, release

ABOUT = {
    "harvest": "Take the measurements of a PACS into a collection; begins with a dry run that takes nothing.",
    "import": "Import a DeepLesion download: its rows, and what its key images show; then publish a release of it.",
    "curate": "Mark noise, merge duplicates and propose pairs again, after thresholds changed; verdicts stay.",
    "release": "Publish a collection, split by patient; the downloads are prepared next.",
    "manifest": "Prepare the downloads of a release: hash its slices, write its manifest.",
    "export": "Pack a release as one zip, each image checked: downloads then have a length and a SHA-256, "
    "and can be resumed.",
    "bodypart": "Train the body-part regressor on a release; the lesions of its collection are located next.",
    "locate": "Locate the lesions of a collection in the body with a trained regressor.",
    "train": "Train the detector on a release; it is evaluated in the test split next.",
    "evaluate": "Run a trained detector over a split, and count how many lesions it finds.",
}
HELP = {
    "accession_numbers": "One per line; empty for all. They are kept in a file of the workers, never in the database.",
    "annotations": "Only studies with annotations of these kinds; none ticked: of any.",
    "backbone": "Another network under the detector than the preset’s.",
    "batch": "Empty for the preset’s.",
    "bodypart.preset": "The full one takes hours on a processor.",
    "bodypart.steps": "Empty for the preset’s.",
    "checkpoint": "best in the validation split, or the last one.",
    "harvest.collection": "Its short name; a new one is made where there is none of that name.",
    "copy": "Into the site's own storage; otherwise the images stay where they are.",
    "context": "As in 30mm, or series for the whole volume.",
    "dry_run": "Counts what would be taken, and takes nothing.",
    "download": "A folder below IMPORT_DIR, which is set by whoever runs the server, that holds DL_info.csv.",
    "convention": "deeplesion counts as the literature on this dataset does; strict counts a second hit as false.",
    "epochs": "Passes over the training patients; empty for the preset’s.",
    "first_date": "Studies of this day and later ones; empty for all.",
    "flip": "At random, which the paper did not do; tiny does it anyway.",
    "fraction": "Above 0, at most 1, which is all.",
    "ignore_unannotated": "Share from 0 to 1 of sure findings without a bookmark that are not held against it.",
    "iou": "Overlap with the bookmark’s box from which a detection is a hit.",
    "last_date": "Studies of this day and earlier ones; empty for all.",
    "learning_rate": "Empty for the preset’s.",
    "model": "The newest comes first.",
    "phantom": "For a release of phantom patients: measures its accuracy on so many new ones; 0 for none.",
    "precision": "bfloat16 is faster where the graphics card knows it.",
    "preset": "A GPU trains the paper’s and the one with context; tiny learns on a processor.",
    "release.release": "The name of the new release, as in ward-1.0.",
    "release.split": "official keeps that of a published dataset; else percent for training, validation and test.",
    "import.release": "Publishes one of this name with the official split; empty for none.",
    "import.collection": "Its short name.",
    "scale": "Zoom at random by up to this share, as in 0.15; empty: not at all.",
    "seed": "Decides the split or the order of training; the same seed gives the same.",
    "since_last": "Studies that hold more, or less, than then.",
    "spacing": "The paper brings each whole slice to one size; with a pixel of one size lesions keep their scale.",
    "title": "Shown on pages; empty for the short name.",
    "split": "The split of the release that is looked at.",
    "strict": "Import nothing when any row is bad; otherwise the good ones go in.",
    "weights": "ImageNet’s, or random ones; the tiny preset’s network has none of ImageNet.",
    "z_jitter": "Move the neighbouring slices at random by up to so many mm; empty: not at all.",
    "source": "dicomweb+https://host/root or dimse://AET@host:port. Credentials stand in the workers' "
    "environment, for servers that DICOMWEB_HOSTS names.",
}

Choices = list[tuple[str, str]]

BACKBONES = typing.get_args(Backbone)
SPACINGS = ("0.8", "1.0")
SUGGESTED = {"release.split": ["official", "70/15/15", "80/10/10"], "context": ["30mm", "60mm", "series"]}
DATES = ("first_date", "last_date")


def _named(names: list[str]) -> Choices:
    return [(name, name) for name in names]


CHOICES: dict[str, Callable[[], Choices]] = {
    "download": lambda: _named(import_wish.downloads()),
    "release": lambda: _named(selectors.published_releases()),
    "collection": selectors.collections,
    "model": lambda: _named(selectors.location_models()),
    "run": selectors.trained_runs,
    "annotations": lambda: [("SR", "structured reports (SR)"), ("PR", "presentation states (PR)")],
    "backbone": lambda: [("", "the preset’s"), *_named([name for name in BACKBONES if name != "narrow"])],
    "precision": lambda: [
        ("", "what is fast on the machine"),
        ("32-true", "32 bits"),
        ("bf16-mixed", "bfloat16 and 32 bits mixed"),
    ],
    "preset": lambda: [
        ("paper", "paper: three slices, VGG-16"),
        ("context", "context: nine slices"),
        ("tiny", "tiny, for a processor"),
    ],
    "spacing": lambda: [
        ("", "the whole slice"),
        *((mm, f"cropped to the body, {mm} mm per pixel") for mm in SPACINGS),
    ],
    "weights": lambda: [("", "what suits the preset"), ("imagenet", "imagenet"), ("random", "random")],
}
OTHERWISE: dict[tuple[str, str], Callable[[], Choices] | None] = {
    (harvest.KIND.name, "collection"): None,
    (import_download.KIND.name, "collection"): None,
    (import_download.KIND.name, "release"): None,
    (curate.KIND.name, "collection"): selectors.hospitals,
    (release.KIND.name, "release"): None,
    (bodypart.KIND.name, "preset"): lambda: [("small", "small: minutes on a processor"), ("full", "full: for a GPU")],
}
"""Where a kind takes a new name, or has choices of its own."""
