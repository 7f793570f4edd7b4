"""Colours of the style sheet against WCAG AA: 4.5 for text, 3 for marks and controls, in both themes."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TEXT = [
    *(
        (text, ground)
        for text in ("text", "text-soft", "text-faint", "accent", "accent-strong", "bad")
        for ground in ("surface", "background", "surface-sunken")
    ),
    ("on-accent", "accent"),
    ("accent-strong", "accent-soft"),
    ("text-faint", "accent-soft"),
    ("good", "good-soft"),
    ("bad", "bad-soft"),
    ("warn", "warn-soft"),
    ("text-soft", "surface-raised"),
]
MARKS = [
    *((f"type-{code}", ground) for code in (*range(1, 9), "unknown") for ground in ("surface", "body-fill")),
    *((f"step-{number}", "surface") for number in range(1, 9)),
    *((name, "surface") for name in ("figure", "sex-f", "sex-m", "axis-long", "axis-short", "control-line")),
    ("control-line", "background"),
    ("focus", "background"),
]


def themes() -> dict[str, dict[str, str]]:
    sheet = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    parts = re.split(r':root\[data-theme="dark"\]|prefers-color-scheme', sheet)
    light, dark, system = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in parts[:3])
    assert dark == system, "the dark colours stand twice and must be the same"
    return {"light": light, "dark": {**light, **dark}}


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (MARKS, 3.0)], ids=["text", "marks"])
def test_contrast(theme: str, pairs: list[tuple[str, str]], least: float) -> None:
    colours = themes()[theme]
    ratios = {}
    for front, ground in pairs:
        low, high = sorted((luminance(colours[front]), luminance(colours[ground])))
        ratios[front, ground] = (high + 0.05) / (low + 0.05)
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least} == {}
