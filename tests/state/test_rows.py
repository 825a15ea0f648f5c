"""The stored row's layout is known by its version alone, so the two change together."""

from xxhash import xxh3_64_hexdigest

from app.state.rows import LAYOUT, ROW
from schemas.events import CLICK_TYPES
from schemas.outputs import INTENTS, QUERY_INTENTS
from tests.harness import Worker, click

KNOWN = {
    3: "a2d1e24d5ed237c8",
    4: "c0e56169961d772c",
    5: "a20c06f0d7a47419",
    6: "dd3da2e8b3df8ca3",
    7: "fa54af5e6b163aeb",
    8: "fa54af5e6b163aeb",  # what lies beside a row changed
}


def test_a_changed_layout_has_another_version() -> None:
    """What a row's bytes mean: its fields, and the catalogues whose codes it counts by."""
    meaning = repr((ROW.descr, CLICK_TYPES, INTENTS, QUERY_INTENTS))
    assert KNOWN.get(LAYOUT) == xxh3_64_hexdigest(meaning.encode()), "raise LAYOUT and enter the new digest"


def test_every_stored_row_begins_with_its_version() -> None:
    worker = Worker()
    worker.run(click("a", 0, "1"), click("b", 0, "2"))
    rows = {key: value for key, value in worker.stored[0].items() if key in (b"a", b"b")}
    assert [value[:1] for value in rows.values() if value] == [bytes([LAYOUT])] * 2
    again = worker.restarted()
    again.run(click("a", 1_000, "3"))
    value = again.stored[0][b"a"]
    assert value is not None
    assert value[0] == LAYOUT
