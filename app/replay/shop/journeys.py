"""How honest visits go, by what the visitor came for. Waits are in seconds.

Visits with different purposes begin alike, and some do what others are known for: a browser puts things into
the cart, a buyer hesitates. So the purpose shows by and by, and never for certain before the end.
"""

from collections.abc import Callable, Mapping

from app.replay.shop.catalogue import Product
from app.replay.shop.texts import message_text, search_text
from app.replay.shop.visit import Visit

Journey = Callable[[Visit], None]

_SUPPORT_TOPICS = [
    "track_order",
    "delivery",
    "complaint",
    "change_order",
    "payment_problem",
    "ask_product",
    "human_agent",
    "other",
]


def browse(visit: Visit) -> None:
    """Looks around, here and there."""
    _arrive(visit)
    while True:
        visit.click("product_list_viewed", 15)
        product = _pick(visit, loyal=0.4)
        visit.product("product_clicked", 10, product)
        visit.product("product_viewed", 2, product)
        _maybe_keep(visit, product, cart=0.05, wishlist=0.1)
        if visit.chance(0.3):
            return


def search(visit: Visit) -> None:
    """Looks for one kind of thing by words."""
    _arrive(visit)
    while True:
        product = _searched(visit, "promotion" if visit.chance(0.1) else "find_product")
        for _ in range(visit.rng.randint(1, 3)):
            visit.product("product_clicked", 8, product)
            visit.product("product_viewed", 2, product)
            _maybe_keep(visit, product, cart=0.07, wishlist=0.05)
        if visit.chance(0.45):
            return


def compare(visit: Visit) -> None:
    """Goes back and forth between a few products of one category."""
    _arrive(visit)
    category = visit.person.taste
    choice = [visit.catalogue.pick(category, visit.rng) for _ in range(visit.rng.randint(2, 4))]
    if visit.chance(0.5):
        _searched(visit, "compare_products")
    for _ in range(visit.rng.randint(4, 10)):
        product = visit.rng.choice(choice)
        visit.product("product_viewed", 35, product)
        _maybe_keep(visit, product, cart=0.05, wishlist=0.12)


def purchase(visit: Visit) -> None:
    """Finds something, and buys it."""
    basket = _filled_cart(visit)
    _check_out(visit)
    visit.click("payment_info_entered", 40)
    value = sum(product.price * quantity for product, quantity in basket)
    if visit.chance(0.04):
        visit.order("payment_attempted", 5, value)
    order_id = visit.order("order_placed", 6, value, **_gift(visit))
    visit.click("order_completed", 1.5, order_id=order_id, price=visit.money(value), currency=visit.currency)
    if visit.chance(0.2):
        visit.click("page_viewed", 20, url="https://shop.example/orders")


def abandon(visit: Visit) -> None:
    """Fills a cart and leaves it, at the cart, in the checkout or before paying."""
    _filled_cart(visit)
    if visit.chance(0.6):
        _check_out(visit)
        if visit.chance(0.3):
            visit.click("payment_info_entered", 60)
    if visit.chance(0.4):
        visit.click("cart_viewed", 90)


def support(visit: Visit) -> None:
    """Asks customer service."""
    _arrive(visit)
    if visit.chance(0.6):
        visit.click("page_viewed", 12, url="https://shop.example/orders")
    means = visit.rng.choice(_SUPPORT_TOPICS)
    for _ in range(visit.rng.randint(1, 3)):
        _write(visit, means)
        if visit.chance(0.3):
            means = "human_agent"


def give_back(visit: Visit) -> None:
    """Returns or cancels an earlier order."""
    _arrive(visit)
    visit.click("page_viewed", 10, url="https://shop.example/orders")
    cancels = visit.chance(0.3)
    for _ in range(visit.rng.randint(1, 2)):
        _write(visit, "cancel_order" if cancels else "return_refund")
    visit.click("order_cancelled" if cancels else "order_refunded", 60, order_id=visit.last_order)


JOURNEYS: Mapping[str, Journey] = {
    "browse": browse,
    "search": search,
    "compare": compare,
    "purchase": purchase,
    "abandon": abandon,
    "support": support,
    "return": give_back,
}
SHARES: Mapping[str, float] = {
    "browse": 0.38,
    "search": 0.18,
    "compare": 0.12,
    "purchase": 0.12,
    "abandon": 0.09,
    "support": 0.07,
    "return": 0.04,
}
"""Of visits with each purpose, for a customer of usual eagerness."""


def _arrive(visit: Visit) -> None:
    visit.click("page_viewed", 1, url="https://shop.example/")
    if visit.newcomer:
        visit.click("account_created", 40)
    elif not visit.anonymous and visit.chance(0.25):
        while visit.chance(0.15):
            visit.click("login_failed", 9)
        visit.click("login_succeeded", 8)


def _pick(visit: Visit, loyal: float) -> Product:
    """A product, with probability `loyal` of the category that the customer likes."""
    anything = visit.rng.randrange(visit.catalogue.categories)
    return visit.catalogue.pick(visit.person.taste if visit.chance(loyal) else anything, visit.rng)


def _searched(visit: Visit, means: str) -> Product:
    product = _pick(visit, loyal=0.7)
    other = visit.catalogue.pick(visit.person.taste, visit.rng).brand
    text = search_text(means, product, other, visit.person.chinese, visit.rng)
    visit.click("products_searched", 12, query_intent=means, query=text)
    return product


def _write(visit: Visit, means: str) -> None:
    product = _pick(visit, loyal=0.8)
    text = message_text(means, product, visit.last_order, visit.person.chinese, visit.rng)
    visit.click("message_sent", 45, query_intent=means, message=text)


def _maybe_keep(visit: Visit, product: Product, cart: float, wishlist: float) -> None:
    if visit.chance(cart):
        visit.product("product_added", 20, product, quantity=1)
    elif visit.chance(wishlist):
        visit.product("product_added_to_wishlist", 20, product)


def _filled_cart(visit: Visit) -> list[tuple[Product, int]]:
    """Looks and puts one to three products into the cart, with their quantities."""
    _arrive(visit)
    basket: list[tuple[Product, int]] = []
    for _ in range(visit.rng.choices([1, 2, 3], [0.65, 0.25, 0.1])[0]):
        product = _searched(visit, "find_product") if visit.chance(0.5) else _pick(visit, loyal=0.8)
        for _ in range(visit.rng.randint(1, 3)):
            visit.product("product_viewed", 30, product)
        quantity = visit.rng.choices([1, 2, 3], [0.85, 0.1, 0.05])[0]
        visit.product("product_added", 25, product, quantity=quantity)
        basket.append((product, quantity))
    if visit.chance(0.7):
        visit.click("cart_viewed", 15)
    return basket


def _check_out(visit: Visit) -> None:
    if visit.chance(0.15):
        visit.click("coupon_applied", 15)
    visit.click("checkout_started", 12)
    if visit.chance(0.8):
        visit.click("checkout_step_completed", 25)


def _gift(visit: Visit) -> dict[str, str]:
    """One order in twenty goes to somebody else's address: unusual, and honest."""
    if not visit.chance(0.05):
        return {}
    return {"shipping_address_hash": f"address-{visit.rng.getrandbits(48):012x}"}
