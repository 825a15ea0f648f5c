"""An expression with the values of one order put in: what a reason says."""

from collections.abc import Callable
from typing import Final

from app.rules.language.nodes import Node, Type
from app.rules.language.program import Evaluation

Told = Callable[[str, float | str | bool], tuple[str, str]]
"""Tells a field's meaning, and its value, as people read them."""

_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_SIGNS: Final = {"==": "is", "!=": "is not"}
_MOST: Final = 400  # characters


def explained(node: Node, expression: str, found: Evaluation, place: int, told: Told) -> str:
    """Why the condition ``node`` of ``expression`` holds for the order at ``place``: its true parts, with their values.

    For example "orders by device in 1 h = 7 > 5 and billing and shipping country differ: yes".
    """
    text = _Explainer(expression, found, place, told).condition(node)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


class _Explainer:
    def __init__(self, expression: str, found: Evaluation, place: int, told: Told) -> None:
        self._expression = expression
        self._found = found
        self._place = place
        self._told = told

    def condition(self, node: Node) -> str:
        if node.op == "and":
            return " and ".join(self.condition(arg) for arg in node.args)
        if node.op == "or":
            return " and ".join(self.condition(arg) for arg in node.args if self._value(arg) is True)
        if node.op == "not":
            return f"not ({self._negated(node.args[0])})"
        return self._leaf(node)

    def _negated(self, node: Node) -> str:
        """What does not hold; of a longer condition the text alone."""
        return self._source(node) if node.op in ("and", "or", "not") else self._leaf(node)

    def _leaf(self, node: Node) -> str:
        if node.op in _COMPARISONS:
            left, right = node.args
            sign = node.op if left.type is Type.NUMBER else _SIGNS[node.op]
            return f"{self._side(left)} {sign} {self._side(right)}"
        if node.op == "in":
            listed = f"@{node.value}" if isinstance(node.value, str) else self._source(node).rpartition("in ")[2]
            return f"{self._side(node.args[0])} in {listed}"
        if node.op == "is_missing":
            return f"{self._meaning(node.args[0])} is missing"
        if node.op == "field":
            return ": ".join(self._told(str(node.value), self._value(node) is True))
        return self._source(node)

    def _side(self, node: Node) -> str:
        """What is compared, and the value it has if it does not say so itself."""
        value = self._value(node)
        if node.op == "constant" or value is None:
            return self._source(node)
        if node.op == "field":
            return " = ".join(self._told(str(node.value), value))
        return f"{self._source(node)} = {_plain(value)}" if self._is_made_of_fields(node) else self._source(node)

    def _is_made_of_fields(self, node: Node) -> bool:
        return any(part.op == "field" for part in node.walk())

    def _meaning(self, node: Node) -> str:
        return self._told(str(node.value), 0.0)[0] if node.op == "field" else self._source(node)

    def _value(self, node: Node) -> float | str | bool | None:
        return self._found.value(node, self._place)

    def _source(self, node: Node) -> str:
        return " ".join(self._expression[node.start : node.stop].split())


def _plain(value: float | str | bool) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
