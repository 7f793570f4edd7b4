"""The choices of the tables are the codes of the file format."""

from datasets import dl_info
from datasets.models import LesionType, Split


def test_types_and_splits_are_those_of_the_file():
    assert {choice.value: choice.label for choice in LesionType} == dl_info.TYPES
    assert {choice.value: choice.label for choice in Split} == dl_info.SPLITS
