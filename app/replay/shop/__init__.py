"""A simulated shop: linked clicks, orders and labels from a seed, with the truth about each beside it."""

from app.replay.shop.shop import Shop
from app.replay.shop.truth import ShopBatch, Truth

__all__ = ["Shop", "ShopBatch", "Truth"]
