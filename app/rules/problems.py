"""What is wrong with a ruleset: all of it at once, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change.

    ``place`` names the part of the ruleset; ``line`` is that of its file, where it is known; ``pointed`` is the
    expression with carets below what is meant.
    """

    place: str
    message: str
    line: int | None = None
    pointed: str | None = None

    def __str__(self) -> str:
        where = self.place if self.line is None else f"line {self.line}, {self.place}"
        return f"{where}: {self.message}" + (f"\n{self.pointed}" if self.pointed else "")


class RulesetError(ValueError):
    """A ruleset that cannot be put in force."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.place}: {problem.message}" for problem in problems[:5]))
        self.problems = list(problems)
