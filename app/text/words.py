"""The package's word lists: ``gazetteers/*.txt``, words parted by comma and space, ``#`` before a comment."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

FOLDER = files("app.text").joinpath("gazetteers")


def lines(file: Traversable) -> Iterator[str]:
    """The lines of a list that hold words."""
    return (line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#"))


def words(file: Traversable) -> Iterator[str]:
    """The words of a list."""
    return (word for line in lines(file) for word in line.split(", ") if word)


def named(file: Traversable) -> Iterator[tuple[str, str]]:
    """Name and word of a list whose lines read ``name: words``."""
    for line in lines(file):
        name, _, rest = line.partition(": ")
        yield from ((name, word) for word in rest.split(", ") if word)


@cache
def group(name: str, file: str = "beside") -> tuple[str, ...]:
    """The words of one name in a file of named lines."""
    return tuple(word for found, word in named(FOLDER.joinpath(f"{file}.txt")) if found == name)
