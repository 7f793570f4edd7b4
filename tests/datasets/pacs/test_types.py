"""Finding sites and findings lead to the eight coarse types."""

import pytest
from pydicom.sr._snomed_dict import mapping

from datasets.dl_info import TYPES
from datasets.pacs import types
from datasets.pacs.readers import Code

ALL = [concept for concepts in types.SITES.values() for concept in concepts] + list(types.FINDINGS)


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (Code("SCT", "10200004", "Liver"), "liver"),
        (Code("SRT", "T-71000", ""), "kidney"),
        (Code("SNM3", "T-28000", ""), "lung"),
        (Code("CORNERSTONEJS", "CORNERSTONEFREETEXT", "Rib"), "bone"),
        (Code("", "", "MEDIASTINUM"), "mediastinum"),
        (Code("SCT", "78961009", "Spleen"), "abdomen"),
        (Code("SCT", "91470000", "Axilla"), "soft tissue"),
        (Code("SCT", "12921003", "Pelvis"), "pelvis"),
        (Code("99LOCAL", "10200004", "Somewhere"), "unknown"),
        (None, "unknown"),
    ],
)
def test_site_decides_the_type(site: Code | None, expected: str) -> None:
    assert TYPES[types.coarse_type(site, Code("SCT", "4147007", "Mass"))] == expected


def test_a_finding_that_names_its_place_decides_where_the_site_is_silent() -> None:
    nodule = Code("", "", "Lung nodule")
    assert TYPES[types.coarse_type(None, nodule)] == "lung"
    assert TYPES[types.coarse_type(Code("SCT", "10200004", "Liver"), nodule)] == "liver"


def test_no_text_of_the_file_comes_through() -> None:
    assert types.known(Code("SCT", "10200004", "Liver of Anna Nobody")) == Code("SCT", "10200004", "Liver")
    assert types.known(Code("99", "1", "Anna Nobody")) is None


def test_codes_stand_in_one_row_only_and_old_codes_match_the_official_mapping() -> None:
    for codes in ([c.sct for c in ALL], [c.srt for c in ALL if c.srt]):
        assert len(codes) == len(set(codes))
    assert {c.srt: c.sct for c in ALL if c.srt in mapping["SRT"]}.items() <= mapping["SRT"].items()
    assert not [c.srt for c in ALL if c.srt and c.srt not in mapping["SRT"]]
