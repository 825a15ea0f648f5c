"""Products no gazetteer names, found by where they stand: ``一台绞肉机``, ``looking for a soap dish``."""

import re

from app.text.words import group

_HEADS = (
    "机器人|[鞋包衣裤裙帽袜灯架柜桌椅凳床锅碗杯壶刀笔机器膏霜乳液露皂套壳垫毯帘箱袋盒罐瓶笼粮盘盆链环戒镜伞布巾扇炉仪秤泵钻钳锯剪尺琴鼓"
    "笛拍棋糖饼糕酱酒茶药贴绳带锁刷夹钩贴纸球粉油膜胶网]"
)
_CHINESE = re.compile(
    "(?:买|找|求|推荐|有没有|有卖|想要|求购)(?:一?[个件双条台把款只本支套张瓶盒袋包]|一些|点|些|下)?"
    "(?:[^,,。?!？！ ]{0,12}的)?(?P<name>(?![一你我他她哪什这那有])[一-鿿]{1,3}(?:"
    + _HEADS
    + "))(?=$|[^一-鿿]|吗|呢|吧|有|多少|怎么|什么|哪|给)"
)
_LAST = re.compile("(?<=[一-鿿])(?P<name>[裙裤鞋帽袜灯柜])(?=$|[ ,?]|[吗呢有])")
_STOP = (
    r"for|with|under|in|that|to|from|below|around|on|please|at|by|of|and|or|but|which|available|stock|near|because|about|over|above|between|"
    r"like|as|without|who|if|is|are|less|now|today|here|available|when|than|my|your|this|it|they|made|suitable|size|i|you|we|not|no|one|ones"
)
_ENGLISH = re.compile(
    r"\b(?:looking for|looking to buy|search(?:ing)? for|shopping for|want to buy|do you (?:guys )?sell|recommend)\s"
    r"(?:to (?:buy|get|find|purchase|order) |me |us )?(?:(?:an?|some|any|the|new|good|nice|cheap|best|great|quality) )*"
    rf"(?P<name>(?!(?:the|an?|some|any|{_STOP})\b)[a-z][a-z'-]+(?: (?!(?:{_STOP})\b)[a-z][a-z'-]+){{0,3}})"
)
_NOT_PRODUCTS = frozenset(group("no product"))
_ADJECTIVES = frozenset(group("adjective"))


def guess(folded: str) -> tuple[int, int] | None:
    """Where the product stands that a wish names, or None; ``folded`` names none that is known."""
    match = _CHINESE.search(folded) or _LAST.search(folded)
    if match:
        return match.span("name")
    english = _ENGLISH.search(folded)
    return _noun_phrase(folded, *english.span("name")) if english else None


def _noun_phrase(folded: str, start: int, end: int) -> tuple[int, int] | None:
    names = folded[start:end].split(" ")
    if names[-1] in _NOT_PRODUCTS or names[0] in _NOT_PRODUCTS or names[-1] in _ADJECTIVES:
        return None
    kept = names[-2:]
    while kept[:-1] and kept[0] in _ADJECTIVES:
        kept = kept[1:]
    return end - len(" ".join(kept)), end
