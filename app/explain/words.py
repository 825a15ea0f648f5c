"""Numbers and clicks as people say them, in English and in Chinese."""

from typing import Final, NamedTuple


class Text(NamedTuple):
    """The same in both languages."""

    en: str
    zh: str


class Act(NamedTuple):
    """What a visitor does in a click: one and several in English, and in Chinese as a verb."""

    one: str
    many: str
    zh: str


_ACTS: Final = {
    "page_viewed": Act("page viewed", "pages viewed", "浏览页面"),
    "products_searched": Act("search", "searches", "搜索商品"),
    "product_list_viewed": Act("product list viewed", "product lists viewed", "浏览商品列表"),
    "product_clicked": Act("product clicked", "products clicked", "点击商品"),
    "product_viewed": Act("product viewed", "products viewed", "查看商品"),
    "product_added": Act("product put in the cart", "products put in the cart", "加入购物车"),
    "product_removed": Act("product taken out of the cart", "products taken out of the cart", "移出购物车"),
    "product_added_to_wishlist": Act("product put on the wishlist", "products put on the wishlist", "收藏商品"),
    "cart_viewed": Act("look at the cart", "looks at the cart", "查看购物车"),
    "checkout_started": Act("checkout started", "checkouts started", "开始结账"),
    "checkout_step_completed": Act("checkout step completed", "checkout steps completed", "完成结账步骤"),
    "payment_info_entered": Act("payment details entered", "payment details entered", "填写支付信息"),
    "coupon_applied": Act("coupon applied", "coupons applied", "使用优惠券"),
    "order_completed": Act("order completed", "orders completed", "完成订单"),
    "order_refunded": Act("order refunded", "orders refunded", "订单退款"),
    "order_cancelled": Act("order cancelled", "orders cancelled", "取消订单"),
    "account_created": Act("account created", "accounts created", "注册账户"),
    "login_succeeded": Act("login", "logins", "登录成功"),
    "login_failed": Act("failed login", "failed logins", "登录失败"),
    "password_changed": Act("change of password", "changes of password", "修改密码"),
    "address_changed": Act("change of address", "changes of address", "修改地址"),
    "message_sent": Act("message to customer service", "messages to customer service", "联系客服"),
}
_HOUR: Final = 3_600
_DURATIONS: Final = ((86_400, "day", "天"), (_HOUR, "hour", "小时"), (60, "minute", "分钟"), (1, "second", "秒"))


def act(type_: str) -> Act:
    """What a click of this type is."""
    return _ACTS[type_]


def count(number: float, one: str, many: str) -> str:
    """As ``1 order``, ``3 orders``, ``no order``."""
    if number == 0:
        return f"no {one}"
    return f"{amount(number)} {one if number == 1 else many}"


def amount(number: float) -> str:
    """A number with at most two decimals, and commas between thousands."""
    text = f"{number:,.2f}".rstrip("0").rstrip(".")
    return "under 0.01" if text == "0" and number > 0 else text


def duration(seconds: float) -> Text:
    """A duration in its largest fitting unit; hours and days have a decimal."""
    whole = round(seconds)
    length, en, zh = next((unit for unit in _DURATIONS if whole >= unit[0]), _DURATIONS[-1])
    number = round(whole / length, 1 if length >= _HOUR else None)
    return Text(f"{amount(number)} {en}{'' if number == 1 else 's'}", f"{amount(number)}{zh}")


def clock_time(hours: float) -> str:
    """A time of day as 14:20."""
    minutes = round(hours * 60) % 1_440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
