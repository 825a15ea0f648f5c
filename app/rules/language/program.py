"""Many expressions as one program: what they have in common is computed once for all."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.rules.language.kernels import Kernel, constant, kernel
from app.rules.language.nodes import Node
from app.rules.language.values import Column, Flags, Mask, Numbers, Texts

Read = Callable[[str], Column]
"""Reads the column [n] of a field."""


class NamedList:
    """Texts that count until a time; held as 64-bit hashes, so that a million take 16 MB.

    Args:
        hashes: of the entries [m], rising.
        until: ms up to which each counts [m].
        hashed: tells the hash of a text.
    """

    def __init__(self, hashes: NDArray[np.uint64], until: NDArray[np.int64], hashed: Callable[[str], int]) -> None:
        self._hashes = hashes
        self._until = until
        self._hashed = hashed

    def __len__(self) -> int:
        return len(self._hashes)

    def until(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The ms up to which each of ``texts`` [n] is on the list; 0 for those that are not."""
        if not len(self._hashes):
            return np.zeros(len(texts), np.int64)
        sought = np.array([self._hashed(text) for text in texts], np.uint64)
        place = np.minimum(np.searchsorted(self._hashes, sought), len(self._hashes) - 1)
        return np.where(self._hashes[place] == sought, self._until[place], 0)

    def holds(self, texts: Texts, ts: NDArray[np.float64]) -> Flags:
        """Which of ``texts`` [n] are on the list at ``ts`` [n], ms."""
        until = np.append(self.until(texts.distinct), 0)[texts.codes]
        return Flags(until > ts, texts.missing)


@dataclass(frozen=True, slots=True)
class _Step:
    """Computes one slot from others before it; a field is read instead, and a constant is there already."""

    compute: Kernel | None
    args: tuple[int, ...]
    field: str = ""
    value: Column | None = None


class Program:
    """The conditions of ``nodes``, made ready for batches.

    Args:
        nodes: trees of conditions.
        lists: what `in @name` looks in.
    """

    def __init__(self, nodes: Sequence[Node], lists: Mapping[str, NamedList] | None = None) -> None:
        self._lists = lists or {}
        self._steps: list[_Step] = []
        self._slots: dict[int, int] = {}  # of each node, by its identity
        self._known: dict[Hashable, int] = {}
        self._nodes = list(nodes)  # alive, so that an identity stays one node's
        for root in nodes:
            for node in root.walk():
                self._slots[id(node)] = self._slot(node)
        self._results = [self._slots[id(node)] for node in nodes]

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def fields(self) -> set[str]:
        """The fields that it reads."""
        return {step.field for step in self._steps if step.field}

    def evaluate(self, read: Read, count: int) -> "Evaluation":
        """Compute everything for ``count`` orders."""
        columns: list[Column] = []
        with np.errstate(all="ignore"):
            for step in self._steps:
                if step.compute is not None:
                    columns.append(step.compute(*[columns[arg] for arg in step.args]))
                else:
                    columns.append(read(step.field) if step.value is None else step.value)
        return Evaluation(columns, self._slots, self._results, count)

    def _slot(self, node: Node) -> int:
        args = tuple(self._slots[id(arg)] for arg in node.args)
        key = (node.op, node.type, node.value, args)
        if key not in self._known:
            step = self._step(node, args)
            self._known[key] = len(self._steps)
            self._steps.append(step)
        return self._known[key]

    def _step(self, node: Node, args: tuple[int, ...]) -> _Step:
        if node.op == "constant":
            return _Step(None, (), value=constant(node))
        if node.op == "field":
            return _Step(None, (), field=str(node.value))
        if node.op == "in" and isinstance(node.value, str):
            return _Step(_held_by(self._lists[node.value]), (*args, self._field_slot("ts")))
        return _Step(kernel(node), args)

    def _field_slot(self, name: str) -> int:
        key = ("time", name)
        if key not in self._known:
            self._known[key] = len(self._steps)
            self._steps.append(_Step(None, (), field=name))
        return self._known[key]


def _held_by(named: NamedList) -> Kernel:
    def compute(texts: Texts, ts: Numbers) -> Flags:
        return named.holds(texts, ts.values)

    return compute


class Evaluation:
    """What a program computed for n orders."""

    def __init__(self, columns: list[Column], slots: dict[int, int], results: list[int], count: int) -> None:
        self._columns = columns
        self._slots = slots
        self._results = results
        self._count = count

    def holds(self) -> Mask:
        """Which conditions hold for which orders [conditions, n]; one that is missing does not."""
        found = np.empty((len(self._results), self._count), np.bool_)
        for row, slot in zip(found, self._results, strict=True):
            column = self._columns[slot]
            assert isinstance(column, Flags)
            row[:] = column.true
        return found

    def value(self, node: Node, place: int) -> float | str | bool | None:
        """What ``node`` is for the order at ``place``; None where it is missing."""
        column = self._columns[self._slots[id(node)]]
        if isinstance(column, Texts):
            code = int(_at(column.codes, place))
            return column.distinct[code] if code >= 0 else None
        if column.missing is not None and _at(column.missing, place):
            return None
        if isinstance(column, Flags):
            return bool(_at(column.true, place))
        return float(_at(column.values, place))


def _at(column: NDArray[np.generic], place: int) -> float:
    """A column's value at ``place``; that of a constant everywhere."""
    return column.item(place if column.size > 1 else 0)  # type: ignore[no-any-return]
