"""The words beside an amount that say what it is: its currency, its bound, or that it is no wish at all."""

from app.text.words import FOLDER, group, named

_FILE = "price_words"
_CODES = ("CNY", "USD", "GBP", "EUR", "JPY", "HKD")

CURRENCY = {word: code for code, word in named(FOLDER.joinpath(f"{_FILE}.txt")) if code in _CODES}
UNIT = (
    r"(?:元人民币|元钱|元|块钱|块|圆|人民币|大洋|美元|美金|美刀|刀(?![具片架叉子])|英镑|镑|欧元|欧(?![码美洲莱])|日元|日圆|円"
    r"|港币|港元|蚊|(?:rmb|cny|yuan|kuai|usd|dollars?|bucks?|gbp|pounds?|quid|euros?|eur|jpy|yen|hkd)(?![a-z])|[$£€¥])"
)
_CHINESE_MEASURE = (
    "[天日号月年岁个件双条台只斤升寸码秒点次位人瓦度期倍层楼话站页本包盒袋箱支部套份片粒颗折%匹级代款种张把平名]|公斤|千克|千瓦"
    "|毫|英寸|吋|厘米|平米|平方|公里|小时|分钟|分|米|克|赫兹|万像素|像素|多[个件人天年]"
)
_MEASURE = (
    "h|hr|kg|g|mg|ml|l|oz|lbs?|cm|mm|m|km|mi|ft|mah|wh|w|v|gb|g|tb|mb|hz|mp|fps|p|x|pm|am|th|st|nd|rd|px|ppi|dpi|btu|cc"
    "|days?|hours?|hrs?|minutes?|mins?|seconds?|weeks?|months?|years?|yrs?|pieces?|pcs|items?|people|persons?|inch|inches"
    "|feet|foot|miles?|watts?|volts?|stars?|reviews?|pairs?|packs?|pages?|percent|degrees?|lit[er]+s?|gallons?|grams?"
    "|ounces?|kilos?|o'?clock|business|working|cups?|players?|kids?|guests?|sets?|orders?|times|calories|grit|mesh|count"
    "|thread|off"
)
MEASURE = rf"\s?(?:{_CHINESE_MEASURE}|-?\s?(?:{_MEASURE})(?![a-z]))"
COUNTED = tuple("天日个件双条台只斤年岁人次米克月")


def _ends(name: str) -> tuple[str, ...]:
    """For ``str.endswith``: an English word with the space before it."""
    return tuple(f" {word}" if word[0].isascii() else word for word in group(name, _FILE))


def _starts(name: str) -> tuple[str, ...]:
    """For ``str.startswith``: an English word with the space after it."""
    return tuple(f"{word} " if word[-1].isascii() and word[-1].isalpha() else word for word in group(name, _FILE))


def _bounds(side: str) -> list[str]:
    names = dict.fromkeys(name for name, _ in named(FOLDER.joinpath(f"{_FILE}.txt")))
    return [name.removesuffix(side) for name in names if name.endswith(side)]


PAID_ENDS = _ends("paid")
WISHED_ENDS = _ends("wished")
DISCOUNTED_STARTS = _starts("discounted")
ITEM_ENDS = _ends("item")
THRESHOLDS = group("threshold", _FILE)
QUESTIONS = tuple(f"{words} " for words in group("question", _FILE))
NO_WISHES = group("no wish", _FILE)
AFTER_STARTS = tuple((way, _starts(f"{way} after")) for way in _bounds(" after"))
BEFORE_ENDS = tuple((way, _ends(f"{way} before")) for way in _bounds(" before"))
