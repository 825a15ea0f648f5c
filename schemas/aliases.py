"""Other vocabularies' event names, mapped to ours.

Ours are the Segment e-commerce v2 names in snake_case, so those map by rule. GA4 and Snowplow names
(recommended events; e-commerce action 1-0-2) map by table. Their names do not collide.
"""

from collections.abc import Mapping
from typing import Final

from schemas.events import CLICK_TYPES, ORDER_TYPES

_SEGMENT: Final[Mapping[str, str]] = {
    "page": "page_viewed",
    "screen": "page_viewed",
    "product_list_filtered": "product_list_viewed",
    "wishlist_product_added_to_cart": "product_added",
    "signed_up": "account_created",
    "signed_in": "login_succeeded",
}
_GA4: Final[Mapping[str, str]] = {
    "page_view": "page_viewed",
    "screen_view": "page_viewed",
    "search": "products_searched",
    "view_search_results": "products_searched",
    "view_item_list": "product_list_viewed",
    "select_item": "product_clicked",
    "view_item": "product_viewed",
    "add_to_cart": "product_added",
    "remove_from_cart": "product_removed",
    "add_to_wishlist": "product_added_to_wishlist",
    "view_cart": "cart_viewed",
    "begin_checkout": "checkout_started",
    "add_shipping_info": "checkout_step_completed",
    "add_payment_info": "payment_info_entered",
    "purchase": "order_completed",
    "refund": "order_refunded",
    "sign_up": "account_created",
    "login": "login_succeeded",
}
_SNOWPLOW: Final[Mapping[str, str]] = {
    "list_view": "product_list_viewed",
    "list_click": "product_clicked",
    "product_view": "product_viewed",
    "checkout_step": "checkout_step_completed",
    "transaction": "order_completed",
}
ALIASES: Final[Mapping[str, str]] = {
    **{name: name for name in (*CLICK_TYPES, *ORDER_TYPES)},
    **_SEGMENT,
    **_GA4,
    **_SNOWPLOW,
}
"""Every name understood, in lower case with underscores, ours included."""


def canonical_type(name: str) -> str | None:
    """Return our name for an event type of Segment, GA4 or Snowplow, or None for one we do not know.

    Case, blanks and hyphens do not matter: `Product Viewed`, `product-viewed` and `view_item` are one type.
    """
    known = ALIASES.get(name)
    return known or ALIASES.get(name.strip().lower().replace(" ", "_").replace("-", "_"))
