"""A copy of a text for looking words up: lower case, half width, simplified characters, and of the same length."""

from functools import cache

from app.text.words import FOLDER, lines

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_LOOKALIKES = str.maketrans("　\t\n\r\xa0’‘“”￥～–—−×", "     ''\"\"¥~---x")


@cache
def _table() -> dict[int, int | str]:
    simple, traditional = lines(FOLDER.joinpath("traditional.txt"))
    upper = {code: ord(chr(code).lower()) for code in range(0xFF21, 0xFF3B)}
    table: dict[int, int | str] = {**_FULL_WIDTH, **_LOOKALIKES, **str.maketrans(traditional, simple)}
    return table | {code: table[lower] for code, lower in upper.items()}


def fold(text: str) -> str:
    """The copy; position ``i`` in it is position ``i`` in ``text``."""
    lower = text.lower()
    if len(lower) != len(text):  # one capital may become two characters, as the dotted Turkish I does
        lower = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return lower if lower.isascii() and lower.isprintable() else lower.translate(_table())
