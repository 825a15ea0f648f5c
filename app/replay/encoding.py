"""Event columns to the bytes that the topics carry."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from app.replay.recorded import RecordedBatch

Encode = Callable[[pl.DataFrame], pl.Series]
"""Event columns to the text of their payloads, type String."""

# A quote inside a JSON string is escaped, so this can only be a field without a value.
_ABSENT_FIELD = r',"[^"\\]+":null'


def json_values(events: pl.DataFrame) -> pl.Series:
    """Each row as one JSON object, type String; a null cell is a field that is absent.

    The first column must have no nulls: it stays where it is.
    """
    encoded = events.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return encoded.str.replace_all(_ABSENT_FIELD, "")


def recorded(events: pl.DataFrame, times: npt.NDArray[np.int64], encode: Encode = json_values) -> RecordedBatch:
    """A batch from a frame of contract columns and one more, `topic`.

    `times`: int64 of the same length, ms since the epoch; they differ from the column `ts` only where that is
    missing or of a wrong type.
    """
    return RecordedBatch(
        topics=events["topic"].to_list(),
        keys=_keys(events).cast(pl.Binary).to_list(),
        timestamps=times.tolist(),
        values=encode(events.drop("topic")).cast(pl.Binary).to_list(),
    )


def _keys(events: pl.DataFrame) -> pl.Series:
    """Who did it, by the first identifier that is not empty."""
    key = pl.repeat("", pl.len())
    for name in ("anonymous_id", "user_id"):
        if events.schema.get(name) == pl.String:
            key = pl.when(pl.col(name) != "").then(name).otherwise(key)
    return events.select(key=key).to_series()
