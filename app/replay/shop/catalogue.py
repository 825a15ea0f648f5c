"""What the shop sells."""

import random
from dataclasses import dataclass

PRODUCTS_PER_CATEGORY = 60

# English name, Chinese name, typical price in US dollars.
_CATEGORIES = [
    ("down jacket", "羽绒服", 90),
    ("running shoes", "跑鞋", 75),
    ("dress", "连衣裙", 45),
    ("backpack", "双肩包", 40),
    ("phone", "手机", 420),
    ("laptop", "笔记本电脑", 900),
    ("headphones", "耳机", 85),
    ("rice cooker", "电饭煲", 60),
    ("desk lamp", "台灯", 25),
    ("face cream", "面霜", 30),
    ("toy train", "玩具火车", 22),
    ("tea set", "茶具", 38),
]
_BRANDS = ["Acme", "Northwind", "Globex", "Umbra", "华山", "兰亭", "青木", "星河"]


@dataclass(frozen=True, slots=True)
class Product:
    """One article; `price` in US dollars."""

    product_id: str
    category: str
    category_zh: str
    brand: str
    price: float


class Catalogue:
    """The articles of every category, the popular ones first."""

    def __init__(self, rng: random.Random) -> None:
        self._shelves = [
            [
                Product(
                    product_id=f"p{shelf:02d}{place:03d}",
                    category=english,
                    category_zh=chinese,
                    brand=rng.choice(_BRANDS),
                    price=round(typical * rng.lognormvariate(0, 0.5), 2),
                )
                for place in range(PRODUCTS_PER_CATEGORY)
            ]
            for shelf, (english, chinese, typical) in enumerate(_CATEGORIES)
        ]

    @property
    def categories(self) -> int:
        """How many there are; a category is a number below it."""
        return len(self._shelves)

    def pick(self, category: int, rng: random.Random) -> Product:
        """An article of a category, popular ones more often."""
        return self._shelves[category][int(PRODUCTS_PER_CATEGORY * rng.random() ** 2)]

    def dear(self, rng: random.Random) -> Product:
        """An article that sells again easily, of the dearer ones."""
        shelf = max(self._shelves, key=lambda products: sum(product.price for product in products))
        dearest = sorted(shelf, key=lambda product: product.price)[-PRODUCTS_PER_CATEGORY // 3 :]
        return rng.choice(dearest)
