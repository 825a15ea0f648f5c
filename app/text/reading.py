"""A text with its tokens and the known words in them."""

from itertools import accumulate

from app.text.lexicon import Hit


class Reading:
    """One text under way to its slots.

    Args:
        text: as the shopper wrote it.
        tokens: of its folded copy.
        hits: known words, from left to right, none overlapping.
    """

    def __init__(self, text: str, tokens: list[str], hits: list[Hit]) -> None:
        self.text = text
        self.tokens = tokens
        self.hits = hits
        self._offsets: list[int] = []

    @property
    def offsets(self) -> list[int]:
        """Where each token starts in the text, and the text's length [tokens + 1]."""
        if not self._offsets:
            self._offsets = list(accumulate(map(len, self.tokens), initial=0))
        return self._offsets

    def written(self, hit: Hit) -> str:
        """The words of a hit as the shopper wrote them."""
        offsets = self.offsets
        return self.text[offsets[hit[1]] : offsets[hit[2]]]

    def before(self, position: int) -> str:
        """The token before one, a space passed over; empty at the start."""
        position -= 2 if position > 1 and self.tokens[position - 1] == " " else 1
        return self.tokens[position] if position >= 0 else ""

    def after(self, position: int) -> str:
        """The token at a position, a space passed over; empty at the end."""
        if position < len(self.tokens) and self.tokens[position] == " ":
            position += 1
        return self.tokens[position] if position < len(self.tokens) else ""

    def adjoins(self, index: int, kinds: frozenset[str]) -> bool:
        """Whether a hit of one of the kinds follows hit ``index`` at once."""
        following = self.hits[index + 1] if index + 1 < len(self.hits) else None
        return following is not None and following[0] in kinds and following[1] <= self.hits[index][2] + 1

    def follows(self, index: int, kinds: frozenset[str]) -> bool:
        """Whether hit ``index`` follows one of the kinds at once."""
        return index > 0 and self.hits[index - 1][0] in kinds and self.hits[index - 1][2] >= self.hits[index][1] - 1
