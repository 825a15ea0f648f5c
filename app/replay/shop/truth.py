"""What the simulation knows and the engine must find out."""

from dataclasses import dataclass

from app.replay.recorded import RecordedBatch


@dataclass(frozen=True, slots=True)
class Truth:
    """About one event; None where the question does not arise.

    `intent`: what the visitor came for, of the contract's seven (of a click). `purchase_later`: an
    `order_completed` follows in the same session (of a click). `query_intent`: of a query or message, of the
    contract's sixteen. `fraud`: of an order or payment. `pattern`: how the fraud is done, of every event
    of such a visit.
    """

    intent: str | None = None
    purchase_later: bool | None = None
    query_intent: str | None = None
    fraud: bool | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class ShopBatch:
    """Events in time order, and the truth about each, of equal length."""

    recorded: RecordedBatch
    truths: list[Truth]
