"""What went wrong in a harvest, and what is odd with what it took: by name, with words for whoever runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MEANINGS = {
    "SourceUnreachable": "No server answers, or it stopped answering: host, port, firewall. Run the harvest again.",
    "AccessDenied": "The server does not let us in: user and password, token, or application entity titles.",
    "UntrustedServer": "The server would be told a password or token, and is not named in DICOMWEB_HOSTS for that.",
    "TlsFailure": "No secure connection: the certificate is not trusted, or ours is not taken.",
    "SourceNotFound": "Nothing is there: no folder, or no DICOMweb at this root.",
    "FolderLeftOut": "A folder of the source cannot be listed, or is a link. Series may lack what it holds.",
    "BadAddress": "The address lacks a part, or holds one that does not belong there.",
    "UnknownScheme": "No source is known for such an address.",
    "TruncatedAnswer": "The server gave less than it says that it holds, or an answer broke off. Run it again, "
    "or raise the server's limit.",
    "BadAnswer": "The server failed, or refuses; its log says more.",
    "TooLarge": "An answer or object is larger than 256 MB.",
    "Contradiction": "An object differs from how the server lists it (its index may need a rebuild), or different "
    "objects have one SOPInstanceUID: marks on them are refused.",
    "SeveralPatients": "Objects of one study name several patients. It is left out until the PACS knows whose it is.",
    "NotFound": "No study has the accession number, or is the one that a file's marks name.",
    "Unreadable": "An object is missing or damaged.",
    "TruncatedPixels": "A slice has fewer pixels than its header says; it is never filled up.",
    "UndecodablePixels": "The pixels of a slice are missing, damaged or in a syntax that nothing decodes.",
    "NotOneSlice": "An object holds colour, many frames, or claims an impossible size.",
    "NotHounsfield": "A header does not say how stored values become Hounsfield units.",
    "unresolved_image": "The image of a mark is not there; tried again at the next harvest.",
    "undecodable": "A mark or its image cannot be read; tried again at the next harvest.",
    "SeriesChanged": "A series has other slices than when it was harvested; what is new or missing in it waits.",
    "MissingSlices": "Positions leave a gap. The lesions are kept, and flagged where the gap is near.",
    "ContradictorySpacing": "Headers contradict the positions or each other. Positions count; lesions are flagged.",
    "LengthDisagrees": "A reported length is not that of its points. The computed one counts; the lesion is flagged.",
    "SpacingCorrected": "Coordinates were divided by the wrong pixel spacing; corrected, and the lesion is flagged.",
    "AmbiguousSeries": "A mark in mm may lie on another series, named or not. The nearest slice is taken and flagged.",
    "DuplicatePosition": "Two slices lie at one position; the lesion is flagged.",
}
"""By the name of an error or a note."""


@dataclass(frozen=True, slots=True)
class Named:
    """One sort of problem or oddity."""

    name: str
    meaning: str
    count: int
    studies: list[int]
    """The studies in which it happened, by their place in the harvest."""

    def as_json(self) -> dict[str, Any]:
        """All but the name, for a program."""
        return {"count": self.count, "meaning": self.meaning, "studies": self.studies}


def named(counts: Mapping[str, int], studies: Mapping[str, Sequence[int]]) -> list[Named]:
    """Put counts by name together with their words, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Named(name, MEANINGS.get(name, ""), count, list(studies.get(name, ()))) for name, count in ordered]
