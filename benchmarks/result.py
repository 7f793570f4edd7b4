"""One line of the table that `make bench` prints."""

from typing import NamedTuple


class Result(NamedTuple):
    """A measured figure and the promise it is held against."""

    name: str
    value: float
    what: str
    """What the figure means: its unit, or the baseline it is a ratio against."""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the promise holds."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def promise(self) -> str:
        """The bounds in words."""
        bounds = [("at least", self.at_least), ("at most", self.at_most)]
        return ", ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
