"""Sensitivities published for the official test split of DeepLesion at an overlap of 0.5, for reference lines."""

PUBLISHED: dict[str, dict[float, float]] = {
    "DeepLesion (Yan 2018)": {3: 0.7731, 5: 0.811},
    "Faster R-CNN (Yan 2018, 3DCE)": {0.5: 0.569, 1: 0.673, 2: 0.756, 4: 0.816},
    "3DCE, 27 slices (Yan 2018)": {0.5: 0.625, 1: 0.734, 2: 0.807, 4: 0.857},
    "MULAN (Yan 2019)": {0.5: 0.761, 1: 0.837, 2: 0.888, 4: 0.923},
}
"""Name to false positives per image to sensitivity."""

NEWER = "Newer work (A3D, SATr, DKMA-ULD) reports 0.78 to 0.81 at 0.5 false positives per image there."
"""Ranges over several papers are said, not drawn."""
