"""What `sluice models optimise` asks of a kind of model: which variants there may be, and how good one is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

Figures = dict[str, dict[str, float]]
"""Set, then metric."""


@dataclass(frozen=True)
class Recipe:
    """How a variant is made of a model's graph, and that in words.

    ``continues`` tells whether a variant may go on from the model's recurrent states.
    """

    how: str
    make: Callable[[bytes], bytes]
    continues: bool = True


class Subject(Protocol):
    """A kind of model, with the data that its variants are made with and measured on."""

    def recipes(self) -> Mapping[str, Recipe]:
        """The variants by name."""
        ...

    def figures(self, graph: bytes) -> Figures:
        """How good a variant is, on data that no variant is made with."""
        ...

    def curves(self, graph: bytes) -> str:
        """The drawing that lies beside a variant that is kept."""
        ...
