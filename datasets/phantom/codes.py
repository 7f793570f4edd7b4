"""SNOMED CT codes of finding sites and findings, by the names the phantom uses for places and lesions."""

Code = tuple[str, str]

PLACES: dict[str, Code] = {
    "lung": ("39607008", "Lung"),
    "mediastinum": ("72410000", "Mediastinum"),
    "hilum": ("46750007", "Hilum of lung"),
    "liver": ("10200004", "Liver"),
    "kidney": ("64033007", "Kidney"),
    "retroperitoneum": ("82849001", "Retroperitoneum"),
    "mesentery": ("83670000", "Peritoneal cavity"),
    "pancreas": ("15776009", "Pancreas"),
    "spleen": ("78961009", "Spleen"),
    "adrenal gland": ("23451007", "Adrenal gland"),
    "peritoneum": ("15425007", "Peritoneum"),
    "stomach": ("69695003", "Stomach"),
    "pelvis": ("12921003", "Pelvis"),
    "axilla": ("91470000", "Axilla"),
    "groin": ("26893007", "Inguinal region"),
    "muscle": ("71616004", "Muscle"),
    "breast": ("76752008", "Breast"),
    "subcutaneous tissue": ("71966008", "Subcutaneous tissue"),
    "vertebra": ("51282000", "Vertebra"),
    "pelvic bone": ("272673000", "Bone"),
    "sacrum": ("54735007", "Sacrum"),
    "femur": ("71341001", "Femur"),
}

FINDINGS: dict[int, Code] = {
    1: ("128462008", "Metastasis"),
    2: ("4147007", "Mass"),
    3: ("59441001", "Lymph node"),
    4: ("52988006", "Lesion"),
    5: ("27925004", "Nodule"),
    6: ("52988006", "Lesion"),
    7: ("4147007", "Mass"),
    8: ("4147007", "Mass"),
}
"""By `Coarse_lesion_type`."""

LESION: Code = ("52988006", "Lesion")
