"""What visitors type, in Chinese and English, by what they mean."""

import random
from collections.abc import Mapping

from app.replay.shop.catalogue import Product

Phrases = Mapping[str, list[str]]

_SEARCHES_ZH: Phrases = {
    "find_product": [
        "我想买一件{color}的{category}，价格在{price}元左右",
        "{color}{category}",
        "{price}元以内的{category}",
        "{brand}{category}",
    ],
    "compare_products": ["{brand}和{other}的{category}哪个好", "{category}对比 {brand} {other}"],
    "promotion": ["{category}优惠券", "{category}满减活动"],
}
_SEARCHES_EN: Phrases = {
    "find_product": [
        "{color} {category}",
        "{category} under {price}",
        "{brand} {category} around {price}",
        "i am looking for a {color} {category}",
    ],
    "compare_products": ["{brand} or {other} {category}", "{category} {brand} vs {other}"],
    "promotion": ["{category} discount code", "{category} sale"],
}
_MESSAGES_ZH: Phrases = {
    "track_order": ["我的快递到哪了？订单号{order}", "{order}还没收到，什么时候到"],
    "delivery": ["发货要几天？寄到成都", "运费多少钱"],
    "complaint": ["收到的{category}是坏的，太失望了", "客服一直不回复，我要投诉"],
    "change_order": ["订单{order}能改一下收货地址吗", "我想把{order}换成大一号"],
    "payment_problem": ["付款一直失败怎么办", "扣了两次钱"],
    "ask_product": ["这款{category}适合冬天用吗", "{category}怎么清洗"],
    "human_agent": ["转人工", "我要人工客服"],
    "return_refund": ["订单{order}我要退货", "{category}不合适，怎么退款"],
    "cancel_order": ["帮我取消订单{order}", "不想要了，取消{order}"],
    "other": ["你好", "在吗"],
}
_MESSAGES_EN: Phrases = {
    "track_order": ["where is my order {order}?", "order {order} still has not arrived"],
    "delivery": ["how long does delivery take?", "what is the shipping cost to Leeds?"],
    "complaint": ["the {category} arrived broken, very disappointed", "nobody answers, i want to complain"],
    "change_order": ["can i change the address of order {order}?", "please change {order} to a larger size"],
    "payment_problem": ["my card keeps being declined", "i was charged twice"],
    "ask_product": ["is this {category} good for winter?", "how do i clean the {category}?"],
    "human_agent": ["let me talk to a person", "agent please"],
    "return_refund": ["i want to return order {order}", "the {category} does not fit, how do i get a refund?"],
    "cancel_order": ["cancel order {order} please", "i changed my mind, cancel {order}"],
    "other": ["hello", "are you there?"],
}
_COLORS_ZH = ["白色", "黑色", "红色", "蓝色", "粉色"]
_COLORS_EN = ["white", "black", "red", "blue", "pink"]


def search_text(means: str, about: Product, other_brand: str, chinese: bool, rng: random.Random) -> str:
    """A search query that means `find_product`, `compare_products` or `promotion`."""
    phrase = rng.choice((_SEARCHES_ZH if chinese else _SEARCHES_EN)[means])
    price = round(about.price * (7 if chinese else 1), -1) or 10
    return phrase.format(
        color=rng.choice(_COLORS_ZH if chinese else _COLORS_EN),
        category=about.category_zh if chinese else about.category,
        brand=about.brand,
        other=other_brand,
        price=int(price),
    )


def message_text(means: str, about: Product, order_id: str, chinese: bool, rng: random.Random) -> str:
    """A message to customer service with one of the meanings that visitors write about."""
    phrase = rng.choice((_MESSAGES_ZH if chinese else _MESSAGES_EN)[means])
    return phrase.format(category=about.category_zh if chinese else about.category, order=order_id)
