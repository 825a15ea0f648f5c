"""What each operation does to whole columns.

Missing is contagious in arithmetic, and a comparison with it is neither true nor false. From there on it goes by
Kleene's logic: `and` is false where one side is, `or` is true where one side is, and `not` leaves missing as it is.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.rules.language.nodes import Node, Type
from app.rules.language.values import Column, Flags, Mask, Numbers, Texts, joined

Kernel = Callable[..., Column]
Floats = NDArray[np.float64]

_FEW = 8  # constants that are compared faster one by one


def constant(node: Node) -> Column:
    """The column of a constant."""
    if node.type is Type.NUMBER:
        return Numbers(np.array(node.value, np.float64))
    if node.type is Type.TEXT:
        return Texts.of([str(node.value)])
    return Flags(np.array(node.value, np.bool_))


def kernel(node: Node) -> Kernel:
    """What computes ``node`` from the columns of its arguments; `in` with a named list is not among it."""
    if node.op == "in":
        listed: Any = node.value
        return partial(_in_numbers if node.args[0].type is Type.NUMBER else _in_texts, listed)
    if node.op in _BY_TYPE:
        return _BY_TYPE[node.op][node.args[0].type]
    return _KERNELS[node.op]


# Numbers.


def _arithmetic(function: Callable[..., Any]) -> Kernel:
    def compute(*args: Numbers) -> Numbers:
        values = function(*(arg.values for arg in args))
        missing = joined(*(arg.missing for arg in args))
        known = np.isfinite(values)
        if not known.all():
            missing = ~known if missing is None else missing | ~known
        return Numbers(values, missing)

    return compute


def _many(function: Callable[..., Any]) -> Kernel:
    return _arithmetic(lambda *values: reduce(function, values))


def _ratio(left: Floats, right: Floats) -> Floats:
    return np.where(right == 0, 0.0, left / right)


def _comparison(function: Callable[..., Any]) -> Kernel:
    def compute(left: Numbers, right: Numbers) -> Flags:
        missing = joined(left.missing, right.missing)
        true = function(left.values, right.values)
        return Flags(true if missing is None else true & ~missing, missing)

    return compute


def _in_numbers(listed: tuple[float, ...], left: Numbers) -> Flags:
    if len(listed) <= _FEW:
        true = reduce(np.logical_or, [left.values == value for value in listed])
    else:
        true = np.isin(left.values, listed)
    return Flags(true if left.missing is None else true & ~left.missing, left.missing)


# Flags.


def _and(*args: Flags) -> Flags:
    true = reduce(np.logical_and, [arg.true for arg in args])
    if all(arg.missing is None for arg in args):
        return Flags(true)
    false = reduce(np.logical_or, [arg.false for arg in args])
    return Flags(true, ~(true | false))


def _or(*args: Flags) -> Flags:
    true = reduce(np.logical_or, [arg.true for arg in args])
    if all(arg.missing is None for arg in args):
        return Flags(true)
    false = reduce(np.logical_and, [arg.false for arg in args])
    return Flags(true, ~(true | false))


def _not(arg: Flags) -> Flags:
    return Flags(arg.false, arg.missing)


def _same_flags(left: Flags, right: Flags) -> Flags:
    missing = joined(left.missing, right.missing)
    same = left.true == right.true
    return Flags(same if missing is None else same & ~missing, missing)


# Texts.


def _same_texts(left: Texts, right: Texts) -> Flags:
    codes = np.array([*(left.index.get(text, -2) for text in right.distinct), -1])[right.codes]
    missing = joined(left.missing, right.missing)
    same = left.codes == codes
    return Flags(same if missing is None else same & ~missing, missing)


def _in_texts(listed: tuple[str, ...], left: Texts) -> Flags:
    return left.flags(frozenset(listed).__contains__)


def _of_two_texts(test: Callable[[str, str], bool]) -> Kernel:
    def compute(left: Texts, right: Texts) -> Flags:
        if len(right.distinct) == len(right.codes) == 1:
            (part,) = right.distinct
            return left.flags(lambda text: test(text, part))
        lefts, rights = [*left.distinct, ""], [*right.distinct, ""]
        pairs = zip(*(codes.tolist() for codes in np.broadcast_arrays(left.codes, right.codes)), strict=True)
        missing = joined(left.missing, right.missing)
        true = np.array([test(lefts[a], rights[b]) for a, b in pairs], np.bool_)
        return Flags(true if missing is None else true & ~missing, missing)

    return compute


def _length(text: Texts) -> Numbers:
    sizes = np.array([*(len(each) for each in text.distinct), 0], np.float64)
    return Numbers(sizes[text.codes], text.missing)


# What is missing.


def _is_missing(arg: Column) -> Flags:
    if arg.missing is not None:
        return Flags(arg.missing)
    sized = arg.codes if isinstance(arg, Texts) else arg.values if isinstance(arg, Numbers) else arg.true
    return Flags(np.zeros(sized.shape, np.bool_))


def _chosen(masks: list[Mask | None], columns: list[NDArray[Any]]) -> tuple[NDArray[Any], Mask | None]:
    """The first of ``columns`` that is not missing, and where all are."""
    values, missing = columns[0], masks[0]
    for mask, column in zip(masks[1:], columns[1:], strict=True):
        if missing is None:
            break
        values = np.where(missing, column, values)
        missing = None if mask is None else missing & mask
    return values, missing


def _first_numbers(*args: Numbers) -> Numbers:
    return Numbers(*_chosen([arg.missing for arg in args], [arg.values for arg in args]))


def _first_flags(*args: Flags) -> Flags:
    true, missing = _chosen([arg.missing for arg in args], [arg.true for arg in args])
    return Flags(true if missing is None else true & ~missing, missing)


def _first_texts(*args: Texts) -> Texts:
    index: dict[str, int] = {}
    columns = []
    for arg in args:
        codes = [index.setdefault(text, len(index)) for text in arg.distinct]
        columns.append(np.array([*codes, -1], np.int64)[arg.codes])
    values, _ = _chosen([arg.missing for arg in args], columns)
    return Texts(values, list(index))


_KERNELS: dict[str, Kernel] = {
    "+": _arithmetic(np.add),
    "-": _arithmetic(np.subtract),
    "*": _arithmetic(np.multiply),
    "/": _arithmetic(np.divide),
    "%": _arithmetic(np.mod),
    "neg": _arithmetic(np.negative),
    "abs": _arithmetic(np.abs),
    "round": _arithmetic(np.rint),
    "floor": _arithmetic(np.floor),
    "log": _arithmetic(np.log),
    "sqrt": _arithmetic(np.sqrt),
    "min": _many(np.minimum),
    "max": _many(np.maximum),
    "ratio": _arithmetic(_ratio),
    "<": _comparison(np.less),
    "<=": _comparison(np.less_equal),
    ">": _comparison(np.greater),
    ">=": _comparison(np.greater_equal),
    "and": _and,
    "or": _or,
    "not": _not,
    "len": _length,
    "lower": lambda text: text.mapped(str.lower),
    "contains": _of_two_texts(lambda text, part: part in text),
    "starts_with": _of_two_texts(str.startswith),
    "ends_with": _of_two_texts(str.endswith),
    "is_missing": _is_missing,
}
_BY_TYPE: dict[str, dict[Type, Kernel]] = {
    "==": {Type.NUMBER: _comparison(np.equal), Type.TEXT: _same_texts, Type.FLAG: _same_flags},
    "!=": {
        Type.NUMBER: _comparison(np.not_equal),
        Type.TEXT: lambda left, right: _not(_same_texts(left, right)),
        Type.FLAG: lambda left, right: _not(_same_flags(left, right)),
    },
    "coalesce": {Type.NUMBER: _first_numbers, Type.FLAG: _first_flags, Type.TEXT: _first_texts},
}
