"""From an expression's text to its tree, with every type checked on the way.

A parser by recursive descent: each level of precedence is a method. How deep a text nests is bounded before Python's
own stack is.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeVar

from app.rules.language.errors import ExpressionError, meant
from app.rules.language.functions import FUNCTIONS, Function
from app.rules.language.nodes import Node, Type
from app.rules.language.tokens import Token, tokens

MAX_DEPTH: Final = 32
"""Parentheses, calls and signs within each other."""
MAX_NODES: Final = 400
"""Operations, fields and constants of an expression."""
MAX_LISTED: Final = 1_000
"""Constants after one `in`."""

_ORDERED: Final = frozenset({"<", "<=", ">", ">="})
_COMPARISONS: Final = _ORDERED | {"==", "!=", "=", "<>"}
_SPELLED: Final = {"=": "==", "<>": "!="}
_WORDS: Final = frozenset({"and", "or", "not", "in", "true", "false"})

_Found = TypeVar("_Found")


def parse(expression: str, fields: Mapping[str, Type], lists: Collection[str] = ()) -> Node:
    """The tree of a condition.

    Args:
        expression: its text.
        fields: the types of the names it may use.
        lists: the names that may follow an @.

    Raises:
        ExpressionError: it is no expression, its types do not fit, it yields something else than true or false, or it
            is longer or deeper than allowed.
    """
    return _Parser(expression, fields, lists).condition()


class _Parser:
    def __init__(self, expression: str, fields: Mapping[str, Type], lists: Collection[str]) -> None:
        self._expression = expression
        self._fields = fields
        self._lists = lists
        self._tokens = list(tokens(expression))
        self._at = 0
        self._depth = 0
        self._nodes = 0

    def condition(self) -> Node:
        node = self._or()
        if self._next.kind != "end":
            raise self._wrong(f"{self._next.text!r} cannot follow here", self._next)
        if node.type is not Type.FLAG:
            raise self._at_node(f"a condition must be true or false, and this is {node.type}", node)
        return node

    # Words.

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _take_if(self, *texts: str) -> Token | None:
        token = self._next
        return self._take() if token.kind in ("sign", "name") and token.text in texts else None

    def _expect(self, text: str) -> Token:
        if token := self._take_if(text):
            return token
        found = f"found {self._next.text!r}" if self._next.kind != "end" else "the expression ends"
        raise self._wrong(f"expected {text!r}, but {found}", self._next)

    # Levels of precedence, the loosest first.

    def _or(self) -> Node:
        return self._joined("or", self._and)

    def _and(self) -> Node:
        return self._joined("and", self._not)

    def _joined(self, word: str, inner: Callable[[], Node]) -> Node:
        found = [inner()]
        while self._take_if(word):
            found.append(inner())
        if len(found) == 1:
            return found[0]
        for node in found:
            self._check(node, Type.FLAG, f"{word!r} joins what is true or false")
        return self._node(word, Type.FLAG, found)

    def _not(self) -> Node:
        token = self._take_if("not")
        if token is None:
            return self._comparison()
        inner = self._nested(token, self._not)
        self._check(inner, Type.FLAG, "'not' turns round what is true or false")
        return self._node("not", Type.FLAG, [inner], token)

    def _comparison(self) -> Node:
        left = self._sum()
        if token := self._take_if(*_COMPARISONS):
            return self._compared(left, token, self._sum())
        if self._next.text == "not" and self._tokens[self._at + 1 : self._at + 2]:
            negation = self._take()
            self._expect("in")
            return self._node("not", Type.FLAG, [self._in(left)], start=left.start, stop=negation.stop)
        return self._in(left) if self._take_if("in") else left

    def _compared(self, left: Node, token: Token, right: Node) -> Node:
        sign = _SPELLED.get(token.text, token.text)
        if left.type is not right.type:
            raise self._at_node(self._mismatch(left, right), left, right)
        if sign in _ORDERED and left.type is not Type.NUMBER:
            raise self._wrong(f"{sign!r} compares numbers, and these are {left.type}; use == or !=", token)
        if self._next.text in _COMPARISONS:
            raise self._wrong("comparisons do not chain; write `a < b and b < c`", self._next)
        return self._node(sign, Type.FLAG, [left, right])

    def _sum(self) -> Node:
        return self._arithmetic(self._product, "+", "-")

    def _product(self) -> Node:
        return self._arithmetic(self._unary, "*", "/", "%")

    def _arithmetic(self, inner: Callable[[], Node], *signs: str) -> Node:
        node = inner()
        while token := self._take_if(*signs):
            right = inner()
            for side in (node, right):
                self._check(side, Type.NUMBER, f"{token.text!r} takes numbers")
            node = self._node(token.text, Type.NUMBER, [node, right])
        return node

    def _unary(self) -> Node:
        token = self._take_if("-")
        if token is None:
            return self._primary()
        inner = self._nested(token, self._unary)
        self._check(inner, Type.NUMBER, "'-' takes a number")
        return self._node("neg", Type.NUMBER, [inner], token)

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return self._constant(token, Type.NUMBER, token.value)
        if token.kind == "text":
            if not token.value:
                raise self._wrong("an empty text is missing; ask is_missing(...)", token)
            return self._constant(token, Type.TEXT, token.value)
        if token.text in ("true", "false"):
            return self._constant(token, Type.FLAG, token.text == "true")
        if token.text == "(":
            inner = self._nested(token, self._or)
            self._expect(")")
            return inner
        if token.kind == "name" and token.text not in _WORDS:
            return self._call(token) if self._next.text == "(" else self._field(token)
        raise self._wrong(self._unexpected(token), token)

    # Names.

    def _field(self, token: Token) -> Node:
        type_ = self._fields.get(token.text)
        if type_ is None:
            raise self._wrong(f"there is no field {token.text!r}{meant(token.text, self._fields)}", token)
        return self._node("field", type_, [], token, value=token.text)

    def _call(self, token: Token) -> Node:
        function = FUNCTIONS.get(token.text)
        if function is None:
            raise self._wrong(f"there is no function {token.text!r}{meant(token.text, FUNCTIONS)}", token)
        self._expect("(")
        args = self._nested(token, self._arguments)
        end = self._expect(")")
        if not function.least <= len(args) <= function.most:
            raise self._wrong(f"{len(args)} arguments are not what it takes: {function.told}", token)
        return self._node(token.text, self._result(function, args), args, token, stop=end.stop)

    def _arguments(self) -> list[Node]:
        if self._next.text == ")":
            return []
        args = [self._or()]
        while self._take_if(","):
            args.append(self._or())
        return args

    def _result(self, function: Function, args: list[Node]) -> Type:
        for index, arg in enumerate(args):
            if (expected := function.expects(index)) is not None:
                self._check(arg, expected, f"{function.name!r} takes {expected}")
        if function.gives is not None:
            return function.gives
        for arg in args[1:]:
            self._check(arg, args[0].type, f"the arguments of {function.name!r} are all of one type")
        return args[0].type

    # Lists.

    def _in(self, left: Node) -> Node:
        if self._next.kind == "list":
            return self._in_named(left, self._take())
        if left.type is Type.FLAG:
            raise self._at_node("'in' looks for numbers or text", left)
        self._expect("[")
        listed = [self._listed(left)]
        while self._take_if(","):
            listed.append(self._listed(left))
        end = self._expect("]")
        if len(listed) > MAX_LISTED:
            found = f"{len(listed):,} constants are listed and {MAX_LISTED:,} are allowed; make a list of the ruleset"
            raise self._wrong(found, end)
        return self._node("in", Type.FLAG, [left], value=tuple(listed), stop=end.stop)

    def _in_named(self, left: Node, token: Token) -> Node:
        name = str(token.value)
        if name not in self._lists:
            raise self._wrong(f"there is no list {name!r}{meant(name, self._lists)}", token)
        self._check(left, Type.TEXT, "the entries of lists are text")
        return self._node("in", Type.FLAG, [left], value=name, stop=token.stop)

    def _listed(self, left: Node) -> float | str:
        sign = -1 if self._take_if("-") else 1
        token = self._take()
        if token.kind not in ("number", "text"):
            raise self._wrong(f"a list holds constants, and {token.text!r} is none", token)
        type_ = Type.NUMBER if token.kind == "number" else Type.TEXT
        if type_ is not left.type:
            named = self._text(left)
            raise self._wrong(f"{token.text} is {type_}, and {named} is {left.type}", token)
        return sign * token.value if isinstance(token.value, float) else token.value

    # Making nodes, and saying what is wrong.

    def _nested(self, token: Token, inner: Callable[[], _Found]) -> _Found:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"it nests deeper than {MAX_DEPTH} levels here; make several rules of it", token)
        found = inner()
        self._depth -= 1
        return found

    def _constant(self, token: Token, type_: Type, value: float | str | bool) -> Node:
        return self._node("constant", type_, [], token, value=value)

    def _node(
        self,
        op: str,
        type_: Type,
        args: list[Node],
        token: Token | None = None,
        *,
        value: float | str | bool | tuple[float | str, ...] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Node:
        self._nodes += 1
        first = start if start is not None else token.start if token else args[0].start
        ends = [arg.stop for arg in args] + ([token.stop] if token else []) + ([stop] if stop else [])
        if self._nodes > MAX_NODES:
            found = f"it has more than {MAX_NODES} parts; make several rules of it"
            raise ExpressionError(found, self._expression, first, max(ends))
        return Node(op, type_, first, max(ends), tuple(args), value)

    def _check(self, node: Node, type_: Type, because: str) -> None:
        if node.type is not type_:
            raise self._at_node(f"{because}, and {self._text(node)} is {node.type}", node)

    def _mismatch(self, left: Node, right: Node) -> str:
        found = f"{self._text(left)} is {left.type}, and {self._text(right)} is {right.type}"
        for side, other in ((left, right), (right, left)):
            if side.op == "constant" and side.type is Type.NUMBER and other.type is Type.TEXT:
                return f'{found}; to compare as text write "{self._text(side)}"'
        return f"{found}; only what is of one type can be compared"

    def _unexpected(self, token: Token) -> str:
        if token.kind == "end":
            return "the expression ends where a value should follow"
        if token.kind == "list":
            return "a list stands after `in`"
        return f"{token.text!r} stands where a value should"

    def _text(self, node: Node) -> str:
        text = self._expression[node.start : node.stop]
        return text if len(text) <= 40 else f"{text[:37]}..."

    def _at_node(self, message: str, node: Node, last: Node | None = None) -> ExpressionError:
        return ExpressionError(message, self._expression, node.start, (last or node).stop)

    def _wrong(self, message: str, token: Token) -> ExpressionError:
        return ExpressionError(message, self._expression, token.start, token.stop)
