"""A process that writes steps into a store until it is killed; each step is known in advance."""

import sys
from pathlib import Path

from app.state.store import MIB, Stores

KEYS, ROWS = 500, 64


def step(number: int) -> tuple[list[bytes], list[bytes | None]]:
    """The rows of step `number` (from 1): every seventh row is a deletion."""
    picked = [(number * 37 + row * 11) % KEYS for row in range(ROWS)]
    keys = [b"key-%d" % key for key in picked]
    return keys, [None if key % 7 == number % 7 else b"%d-" % number + bytes(600) for key in picked]


def rows_after(number: int) -> dict[bytes, bytes]:
    """What a store holds after the steps 1 to `number`."""
    rows: dict[bytes, bytes | None] = {}
    for done in range(1, number + 1):
        rows.update(zip(*step(done), strict=True))
    return {key: value for key, value in rows.items() if value is not None}


def main(directory: Path) -> None:
    """Go on from the store's offset, which is the number of the last step; say each step once written."""
    store = Stores(directory, lambda: 0, partition_buffer_bytes=MIB // 2).open(0)
    number = store.offset or 0
    while True:
        number += 1
        store.write(*step(number), number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
