"""Words for people: numbers with their nouns."""


def counted(number: int, one: str, many: str = "") -> str:
    """`1 lesion`, `2 lesions`; `many` where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
