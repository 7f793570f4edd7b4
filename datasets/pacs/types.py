"""Finding sites and findings to the eight coarse lesion types: one readable table, unknown stays unknown.

The table also is the list of concepts that may be kept: a code that stands in it is stored with the table's own
words, never with the file's, because a CodeMeaning is free text in which anything may stand.
"""

from typing import NamedTuple

from datasets.dl_info import TYPES
from datasets.pacs.readers.bookmark import Code

_OLD_SCHEMES = ("SRT", "SNM3", "99SDM")

_NUMBER = {name: number for number, name in TYPES.items()}

UNKNOWN = _NUMBER["unknown"]


class Concept(NamedTuple):
    """One row of the table."""

    sct: str
    srt: str
    meaning: str
    others: tuple[str, ...] = ()
    """More lower-case meanings under which viewers write it."""


SITES: dict[str, tuple[Concept, ...]] = {
    "bone": (
        Concept("272673000", "T-D016E", "Bone", ("bones",)),
        Concept("3138006", "", "Bone"),
        Concept("113197003", "T-11300", "Rib", ("ribs",)),
        Concept("51282000", "T-11510", "Vertebra", ("vertebral body",)),
        Concept("421060004", "T-D04FF", "Spine"),
        Concept("122494005", "T-11501", "Cervical spine"),
        Concept("122495006", "T-11502", "Thoracic spine"),
        Concept("122496007", "T-11503", "Lumbar spine"),
        Concept("56873002", "T-11210", "Sternum"),
        Concept("54735007", "T-11AD0", "Sacrum"),
        Concept("64688005", "T-11BF0", "Coccyx"),
        Concept("22356005", "T-12340", "Ilium"),
        Concept("85710004", "T-12350", "Ischium"),
        Concept("37783008", "T-12390", "Acetabulum"),
        Concept("71341001", "T-12710", "Femur"),
        Concept("85050009", "T-12410", "Humerus"),
        Concept("79601000", "T-12280", "Scapula"),
        Concept("51299004", "T-12310", "Clavicle"),
        Concept("89546000", "T-11100", "Skull"),
        Concept("94222008", "", "Bone metastasis", ("metastasis to bone",)),
    ),
    "abdomen": (
        Concept("818981001", "", "Abdomen"),
        Concept("113345001", "T-D4000", "Abdomen"),
        Concept("78961009", "T-C3000", "Spleen"),
        Concept("15776009", "T-65000", "Pancreas"),
        Concept("69695003", "T-57000", "Stomach"),
        Concept("38848004", "T-58200", "Duodenum"),
        Concept("30315005", "T-58000", "Small intestine", ("small bowel",)),
        Concept("14742008", "T-59000", "Large intestine"),
        Concept("71854001", "T-59300", "Colon"),
        Concept("23451007", "T-B3000", "Adrenal gland", ("adrenal", "left adrenal gland", "right adrenal gland")),
        Concept("28231008", "T-63000", "Gallbladder"),
        Concept("28273000", "T-60610", "Bile duct"),
        Concept("82849001", "T-D4900", "Retroperitoneum"),
        Concept("15425007", "T-D4400", "Peritoneum"),
        Concept("83670000", "T-D4425", "Peritoneal cavity", ("mesentery",)),
        Concept("27398004", "T-D4600", "Omentum"),
        Concept("7832008", "T-42500", "Abdominal aorta"),
        Concept("8568009", "T-C4400", "Abdominal lymph node"),
        Concept("818991007", "", "Abdominal lymph node"),
        Concept("91394001", "T-C4580", "Retroperitoneal lymph node"),
        Concept("47985009", "T-C4410", "Celiac lymph node"),
        Concept("35783009", "T-C4480", "Aortic lymph node", ("para-aortic lymph node", "paraaortic lymph node")),
    ),
    "mediastinum": (
        Concept("72410000", "T-D3300", "Mediastinum"),
        Concept("62683002", "T-C4360", "Mediastinal lymph node"),
        Concept("53074004", "T-C4320", "Hilar lymph node"),
        Concept("47109002", "T-C4300", "Lymph node of thorax", ("thoracic lymph node",)),
        Concept("28330007", "T-C4332", "Subcarinal lymph node"),
        Concept("65690001", "T-C4340", "Paratracheal lymph node"),
        Concept("46750007", "T-28080", "Hilum of lung", ("hilum",)),
        Concept("80891009", "T-32000", "Heart"),
        Concept("76848001", "T-39000", "Pericardium"),
        Concept("32849002", "T-56000", "Esophagus", ("oesophagus",)),
        Concept("44567001", "T-25000", "Trachea"),
        Concept("9875009", "T-C8000", "Thymus"),
    ),
    "liver": (
        Concept("10200004", "T-62000", "Liver", ("left lobe of liver", "right lobe of liver")),
        Concept("71133005", "T-62023", "Caudate lobe of liver"),
        Concept("94381002", "", "Liver metastasis", ("metastasis to liver", "liver lesion")),
    ),
    "lung": (
        Concept("39607008", "T-28000", "Lung", ("lungs", "left lung", "right lung")),
        Concept("45653009", "T-28820", "Upper lobe of lung", ("upper lobe of right lung",)),
        Concept("44714003", "T-28600", "Upper lobe of left lung"),
        Concept("40020002", "T-28825", "Middle lobe of lung"),
        Concept("72481006", "T-28300", "Middle lobe of right lung"),
        Concept("90572001", "T-28830", "Lower lobe of lung", ("lower lobe of left lung", "lower lobe of right lung")),
        Concept("955009", "T-26000", "Bronchus"),
        Concept("3120008", "T-29000", "Pleura"),
        Concept("427359005", "", "Lung nodule", ("pulmonary nodule", "solitary nodule of lung")),
        Concept("94391008", "", "Lung metastasis", ("metastasis to lung",)),
    ),
    "kidney": (
        Concept("64033007", "T-71000", "Kidney", ("kidneys", "left kidney", "right kidney")),
        Concept("25990002", "T-72000", "Renal pelvis"),
    ),
    "soft tissue": (
        Concept("87784001", "T-1A000", "Soft tissue"),
        Concept("71616004", "T-13001", "Muscle"),
        Concept("91727004", "", "Muscle"),
        Concept("127954009", "T-D0684", "Skeletal muscle"),
        Concept("39937001", "T-01000", "Skin"),
        Concept("71966008", "T-03000", "Subcutaneous tissue", ("subcutis", "subcutaneous fat")),
        Concept("91470000", "T-D8104", "Axilla"),
        Concept("68171009", "T-C4710", "Axillary lymph node"),
        Concept("76752008", "T-04000", "Breast"),
        Concept("78904004", "T-D3050", "Chest wall"),
        Concept("195879000", "T-14001", "Abdominal wall muscle", ("abdominal wall",)),
        Concept("45048000", "T-D1600", "Neck"),
        Concept("81105003", "T-C4200", "Cervical lymph node"),
        Concept("76838003", "T-C4220", "Supraclavicular lymph node"),
        Concept("26893007", "T-D7000", "Inguinal region", ("groin",)),
        Concept("8928004", "T-C4810", "Inguinal lymph node"),
        Concept("46862004", "T-D2600", "Buttock"),
        Concept("68367000", "T-D9100", "Thigh"),
    ),
    "pelvis": (
        Concept("12921003", "T-D6000", "Pelvis"),
        Concept("816092008", "", "Pelvis"),
        Concept("21844003", "T-D6221", "Pelvic cavity"),
        Concept("89837001", "T-74000", "Bladder", ("urinary bladder",)),
        Concept("41216001", "T-92000", "Prostate"),
        Concept("64739004", "T-93000", "Seminal vesicle"),
        Concept("35039007", "T-83000", "Uterus"),
        Concept("71252005", "T-83200", "Cervix", ("cervix uteri",)),
        Concept("76784001", "T-82000", "Vagina"),
        Concept("15497006", "T-87000", "Ovary"),
        Concept("34402009", "T-59600", "Rectum"),
        Concept("60184004", "T-59470", "Sigmoid colon"),
        Concept("54268001", "T-C4600", "Pelvic lymph node"),
        Concept("84219008", "T-C4610", "Iliac lymph node"),
        Concept("65349008", "T-C4620", "External iliac lymph node"),
        Concept("36086000", "T-C4626", "Obturator lymph node"),
    ),
}
"""By the name of the type in `dl_info.TYPES`: places, and findings that say their place."""

FINDINGS = (
    Concept("52988006", "M-01100", "Lesion"),
    Concept("4147007", "M-03000", "Mass"),
    Concept("27925004", "M-03010", "Nodule"),
    Concept("59441001", "T-C4000", "Lymph node"),
    Concept("128462008", "DF-00436", "Metastasis"),
    Concept("108369006", "M-8FFFF", "Neoplasm", ("tumor", "tumour")),
    Concept("441457006", "", "Cyst"),
)
"""Findings that may be kept and say nothing about the place."""


def coarse_type(site: Code | None, finding: Code | None) -> int:
    """The Coarse_lesion_type of a finding at a site; -1 where neither is in the table. The site counts first."""
    for code in (site, finding):
        concept = _find(code)
        if concept is not None and concept in _TYPE_OF:
            return _TYPE_OF[concept]
    return UNKNOWN


def known(code: Code | None) -> Code | None:
    """The table's own version of a code, which may be kept and shown; None where it is not in the table."""
    concept = _find(code)
    return Code("SCT", concept.sct, concept.meaning) if concept else None


def _find(code: Code | None) -> Concept | None:
    if code is None:
        return None
    if code.scheme in _OLD_SCHEMES:
        found = _BY_CODE.get(("SRT", code.value))
    else:
        found = _BY_CODE.get((code.scheme, code.value))
    return found or _BY_MEANING.get(code.meaning.lower())


_TYPE_OF = {concept: _NUMBER[name] for name, concepts in SITES.items() for concept in concepts}

_ALL = (*_TYPE_OF, *FINDINGS)

_BY_CODE = {("SCT", concept.sct): concept for concept in _ALL} | {
    ("SRT", concept.srt): concept for concept in _ALL if concept.srt
}

_BY_MEANING = {
    meaning: concept for concept in reversed(_ALL) for meaning in (concept.meaning.lower(), *concept.others)
}
