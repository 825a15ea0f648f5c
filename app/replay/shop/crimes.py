"""How fraud goes. Waits are in seconds.

Each has honest look-alikes: customers who mistype their password, new accounts, presents sent elsewhere, dear
orders.
"""

from collections.abc import Mapping

from app.replay.shop.catalogue import Product
from app.replay.shop.journeys import Journey
from app.replay.shop.people import hash_name
from app.replay.shop.visit import Visit

_ABROAD = ["RO", "VN", "NG", "BR"]


def account_takeover(visit: Visit) -> None:
    """Guesses a password on a new device, locks the owner out and orders something dear elsewhere."""
    visit.click("page_viewed", 1, url="https://shop.example/login")
    for _ in range(visit.rng.randint(3, 9)):
        visit.click("login_failed", 3)
    visit.click("login_succeeded", 3)
    if visit.chance(0.8):
        visit.click("password_changed", 15)
    visit.click("address_changed", 20)
    abroad = visit.rng.choice(_ABROAD)
    _order_something_dear(visit, shipping_country=abroad, shipping_address_hash=hash_name("address", visit.rng))


def card_testing(visit: Visit) -> None:
    """Tries stolen cards with small payments from one device, then uses one that works."""
    visit.click("account_created", 2)
    for _ in range(visit.rng.randint(6, 20)):
        visit.order("payment_attempted", 3, visit.rng.uniform(0.5, 2), **_stolen_card(visit))
    _order_something_dear(visit, **_stolen_card(visit))


def stolen_card(visit: Visit) -> None:
    """Opens an account and buys with somebody else's card, much like a new customer in a hurry."""
    visit.click("page_viewed", 1, url="https://shop.example/")
    visit.click("account_created", 30)
    _order_something_dear(visit, shipping_country=visit.rng.choice(_ABROAD), **_stolen_card(visit))


def ring(visit: Visit) -> None:
    """One of many new accounts from the same device, whose goods all go to one address; each buys once, soon."""
    visit.click("page_viewed", 1, url="https://shop.example/")
    visit.click("account_created", 10)
    product = _anything(visit)
    visit.product("product_viewed", 5, product)
    visit.product("product_added", 4, product, quantity=1)
    visit.click("checkout_started", 4)
    visit.click("payment_info_entered", 8)
    _pay(visit, product.price, **_stolen_card(visit))


def promotion_abuse(visit: Visit) -> None:
    """Opens yet another account on the same device for the coupon that is for newcomers."""
    visit.click("account_created", 5)
    product = _anything(visit)
    visit.product("product_viewed", 5, product)
    visit.product("product_added", 4, product, quantity=1)
    visit.click("checkout_started", 4)
    visit.click("coupon_applied", 3)
    visit.click("payment_info_entered", 8)
    _pay(visit, product.price * 0.5)


def compromised_terminal(visit: Visit) -> None:
    """A card that was copied at a terminal is used there again, by others, without any visit to the shop."""
    for _ in range(visit.rng.randint(1, 2)):
        visit.order("payment_attempted", 60, visit.rng.uniform(20, 400))


def scraping(visit: Visit) -> None:
    """A bot that goes through the catalogue as fast as it is answered, and buys nothing."""
    for _ in range(visit.rng.randint(150, 400)):
        visit.product("product_viewed", 0.3, _anything(visit))


CRIMES: Mapping[str, Journey] = {
    "account_takeover": account_takeover,
    "card_testing": card_testing,
    "stolen_card": stolen_card,
    "ring": ring,
    "promotion_abuse": promotion_abuse,
    "compromised_terminal": compromised_terminal,
    "scraping": scraping,
}
OWN_ACCOUNT = frozenset({"card_testing", "stolen_card", "ring", "promotion_abuse"})
"""Crimes that begin with a new account."""
SHARED_DEVICE = frozenset({"ring", "promotion_abuse"})
"""Crimes of which many come from one device."""


def _anything(visit: Visit) -> Product:
    return visit.catalogue.pick(visit.rng.randrange(visit.catalogue.categories), visit.rng)


def _stolen_card(visit: Visit) -> dict[str, str]:
    return {"card_hash": hash_name("card", visit.rng), "bin": str(visit.rng.randrange(400_000, 560_000))}


def _order_something_dear(visit: Visit, **fields: str) -> None:
    product, quantity = visit.catalogue.dear(visit.rng), visit.rng.randint(1, 3)
    visit.product("product_viewed", 8, product)
    visit.product("product_added", 6, product, quantity=quantity)
    visit.click("checkout_started", 5)
    visit.click("payment_info_entered", 12)
    value = product.price * quantity
    _pay(visit, value, **fields)


def _pay(visit: Visit, value: float, **fields: str) -> None:
    order_id = visit.order("order_placed", 4, value, **fields)
    visit.click("order_completed", 1.5, order_id=order_id, price=visit.money(value), currency=visit.currency)
