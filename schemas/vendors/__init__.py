"""Whole events of other vendors, as the fields of a `Click`.

Of an event with several products, the first gives `product_id`, `category`, `brand`, `price` and `quantity`:
a click has one product, and vendors send the one acted upon first. Numbers sent as text are read as numbers;
empty text counts as absent.
"""

from schemas.vendors.ga4 import from_ga4
from schemas.vendors.segment import from_segment

__all__ = ["from_ga4", "from_segment"]
