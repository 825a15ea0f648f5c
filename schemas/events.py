"""Events that come in: what a visitor does (`Click`), an order to judge (`Order`), what turned out (`Label`).

Workers decode these structs by the million, as `list[Click]` from one joined JSON array, so every
constraint is one that msgspec checks in C. What a type alone cannot say is checked where batches are
decoded: that `type` is known (after `schemas.aliases`), and that an identifier of the visitor is present.
"""

from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta, Struct

CONTRACT_VERSION: Final = "1.0"

CLICK_TYPES: Final[tuple[str, ...]] = (
    "page_viewed",
    "products_searched",
    "product_list_viewed",
    "product_clicked",
    "product_viewed",
    "product_added",
    "product_removed",
    "product_added_to_wishlist",
    "cart_viewed",
    "checkout_started",
    "checkout_step_completed",
    "payment_info_entered",
    "coupon_applied",
    "order_completed",
    "order_refunded",
    "order_cancelled",
    "account_created",
    "login_succeeded",
    "login_failed",
    "password_changed",
    "address_changed",
    "message_sent",
)
ORDER_TYPES: Final[tuple[str, ...]] = ("order_placed", "payment_attempted")
LabelName = Literal["fraud", "legitimate", "chargeback", "account_takeover"]
LABELS: Final[tuple[str, ...]] = get_args(LabelName)

# Names as small integers, for columns; the order of the tuples above is part of every trained model.
CLICK_CODES: Final[dict[str, int]] = {name: code for code, name in enumerate(CLICK_TYPES)}
ORDER_CODES: Final[dict[str, int]] = {name: code for code, name in enumerate(ORDER_TYPES)}

EARLIEST_TS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z in ms: the first instant accepted."""
END_TS: Final = 4_133_980_800_000
"""2101-01-01T00:00:00Z in ms: the first instant after the year 2100, no longer accepted."""

MAX_ID: Final = 256
MAX_QUERY: Final = 512
MAX_MESSAGE: Final = 2_000
MAX_AMOUNT: Final = 1e12
MAX_QUANTITY: Final = 1_000_000_000
MAX_ITEMS: Final = 1_000

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Name = Annotated[str, Meta(max_length=MAX_ID)]
EventTime = Annotated[
    int, Meta(ge=EARLIEST_TS, lt=END_TS, description="Event time, ms since the epoch, years 2000 to 2100.")
]
AccountTime = Annotated[int, Meta(ge=0, lt=END_TS, description="ms since the epoch.")]
Price = Annotated[float, Meta(ge=0, le=MAX_AMOUNT, description="Of one piece, in major units.")]
Value = Annotated[float, Meta(gt=0, le=MAX_AMOUNT, description="Order total, in major units.")]
Quantity = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217 code.")]
Query = Annotated[str, Meta(max_length=MAX_QUERY, description="Search text as typed.")]
Message = Annotated[str, Meta(max_length=MAX_MESSAGE, description="Customer-service text.")]
Locale = Annotated[Name, Meta(description="BCP 47 tag.")]
Country = Annotated[Name, Meta(description="ISO 3166-1 alpha-2 code.")]
FreeMap = Annotated[dict[str, Any], Meta(description="Free map that no model reads.")]

ClickType = Annotated[str, Meta(extra_json_schema={"enum": list(CLICK_TYPES)})]
OrderType = Annotated[str, Meta(extra_json_schema={"enum": list(ORDER_TYPES)})]


class Click(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a visitor does, on topic `clickstream`. One of `user_id` and `anonymous_id` is required."""

    event_id: Id
    type: ClickType
    ts: EventTime
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    device_id: Id | None = None
    ip: Name | None = None
    user_agent: str | None = None
    locale: Locale | None = None
    product_id: Id | None = None
    category: Name | None = None
    brand: Name | None = None
    price: Price | None = None
    currency: Currency | None = None
    quantity: Quantity | None = None
    query: Query | None = None
    message: Message | None = None
    order_id: Id | None = None
    url: str | None = None
    referrer: str | None = None
    properties: FreeMap | None = None


class Item(Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of an order."""

    product_id: Id
    price: Price | None = None
    quantity: Quantity | None = None


Items = Annotated[list[Item], Meta(max_length=MAX_ITEMS)]


class Order(Struct, frozen=True, gc=False, omit_defaults=True):
    """An order or payment attempt to judge, on topic `orders`.

    One of `user_id` and `anonymous_id` is required.
    """

    event_id: Id
    type: OrderType
    ts: EventTime
    order_id: Id
    value: Value
    currency: Currency
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    device_id: Id | None = None
    ip: Name | None = None
    user_agent: str | None = None
    locale: Locale | None = None
    payment_method: Name | None = None
    card_hash: Id | None = None
    bin: Name | None = None
    email_hash: Id | None = None
    merchant_id: Annotated[Id | None, Meta(description="Merchant or terminal.")] = None
    billing_country: Country | None = None
    shipping_country: Country | None = None
    shipping_address_hash: Id | None = None
    account_created_ts: AccountTime | None = None
    items: Items | None = None
    properties: FreeMap | None = None


class Label(Struct, frozen=True, gc=False, omit_defaults=True):
    """What turned out, on topic `labels`. One of `order_id`, `user_id` and `anonymous_id` is required.

    `label` says everything, so `type` may be left out and its value is not read.
    """

    event_id: Id
    ts: EventTime
    label: LabelName
    type: Id = "label_set"
    order_id: Id | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    device_id: Id | None = None
    ip: Name | None = None
    user_agent: str | None = None
    locale: Locale | None = None
    source: Annotated[Name | None, Meta(description="Who says so: a bank, a reviewer, a rule.")] = None
    properties: FreeMap | None = None


InputEvent = Click | Order | Label


def visitor(event: InputEvent) -> str | None:
    """Return the visitor's identifier, which is also the record's key: `user_id`, else `anonymous_id`."""
    return event.user_id or event.anonymous_id
