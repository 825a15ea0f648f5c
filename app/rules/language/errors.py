"""What is wrong with an expression, and where."""

from collections.abc import Collection
from difflib import get_close_matches

_MANY = 30  # names that are not listed any more


class ExpressionError(ValueError):
    """An expression that cannot be a rule's condition.

    Args:
        message: what was found and what to do.
        expression: the whole text.
        start: first character that is meant.
        stop: the one after the last.
    """

    def __init__(self, message: str, expression: str, start: int, stop: int) -> None:
        super().__init__(message)
        self.message = message
        self._line_start = expression.rfind("\n", 0, start) + 1
        end = expression.find("\n", start)
        self._source = expression[self._line_start : end if end >= 0 else len(expression)]
        self.line = expression.count("\n", 0, start) + 1
        self.column = start - self._line_start + 1
        self._width = max(1, min(stop - start, len(self._source) - self.column + 1))

    def pointed(self) -> str:
        """The line that is meant, with carets below; long lines are cut around it."""
        first = max(0, self.column - 61)
        source = self._source[first : first + 100]
        carets = min(self._width, len(source) - (self.column - 1 - first)) or 1
        return f"{source}\n{' ' * (self.column - 1 - first)}{'^' * carets}"

    def __str__(self) -> str:
        where = f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"
        return f"{where}: {self.message}\n{self.pointed()}"


def meant(name: str, known: Collection[str]) -> str:
    """What an unknown ``name`` may have meant: how a message about it ends."""
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if len(known) > _MANY:
        return "; `sluice rules fields` lists them"
    return f"; there are {', '.join(sorted(known))}" if known else "; there are none"
