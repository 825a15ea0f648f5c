"""Output topics as files of JSON lines."""

import base64
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from app.kafka.fetched import Headers
from app.kafka.record_batch import NO_HEADERS, decode_headers
from app.publish.outgoing import Outgoing
from schemas.topics import DEAD_LETTER, OUTPUTS


class TopicFiles:
    """One file for each output topic, ``FOLDER/<topic>.jsonl``; those that exist are replaced.

    A line is a record's value. A dead letter's line is an object: ``key`` and ``value`` as text, or ``key_base64`` and
    ``value_base64`` where the bytes are no UTF-8, and its ``headers``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        """Make the folder and the files.

        Raises:
            OSError: that is not possible.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            for topic in OUTPUTS:
                path = self._folder / f"{topic.name}.jsonl"
                self._files[topic.name] = opened.enter_context(path.open("wb"))
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def write(self, outgoing: Iterable[Outgoing]) -> None:
        """Append records to the files of their topics."""
        for out in outgoing:
            self._files[out.topic].writelines(line + b"\n" for line in _lines(out))


def _lines(out: Outgoing) -> Iterable[bytes]:
    if out.topic != DEAD_LETTER:
        return [value or b"null" for value in out.values]
    headers = [decode_headers(block) for block in out.headers or [NO_HEADERS] * len(out.values)]
    return [_dead_letter(*record) for record in zip(out.keys, out.values, headers, strict=True)]


def _dead_letter(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    texts = {name: None if text is None else text.decode("utf-8", "replace") for name, text in headers}
    return msgspec.json.encode(_field("key", key) | _field("value", value) | {"headers": texts})


def _field(name: str, content: bytes | None) -> dict[str, str | None]:
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content).decode()}
