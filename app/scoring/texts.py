"""What visitors' words mean: those of a step's clicks read together."""

from collections.abc import Sequence

from app.text.recogniser import TextReader, Understood
from schemas.events import Click


def read_texts(events: Sequence[Click], reader: TextReader | None) -> list[Understood | None] | None:
    """What ``reader`` makes of the message, else the query, of each of ``events``; None if none has any."""
    if reader is None:
        return None
    texts = [event.message or event.query for event in events]
    said = [text for text in texts if text]
    if not said:
        return None
    read = iter(reader.read(said))
    return [next(read) if text else None for text in texts]
