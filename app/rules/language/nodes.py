"""An expression as a tree whose types are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """What an expression yields."""

    NUMBER = "a number"
    TEXT = "text"
    FLAG = "true or false"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation.

    ``op`` is `constant`, `field`, `in`, a sign, a word (`and`, `or`, `not`) or a function's name. ``value`` is the
    constant, the field's name, or what `in` looks in: constants, or the name of a list. ``start`` and ``stop`` are its
    place in the text.
    """

    op: str
    type: Type
    start: int
    stop: int
    args: tuple["Node", ...] = ()
    value: float | str | bool | tuple[float | str, ...] | None = None

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, each after those it is made of."""
        waiting: list[tuple[Node, bool]] = [(self, False)]
        while waiting:
            node, is_ready = waiting.pop()
            if is_ready or not node.args:
                yield node
            else:
                waiting.append((node, True))
                waiting += [(arg, False) for arg in reversed(node.args)]
