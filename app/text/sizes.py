"""Sizes written with numbers: ``42码``, ``UK 9``, ``24寸``, ``size 11``, ``8x10``, ``32B``."""

import re
from collections.abc import Iterable

_REGION = r"(?:uk|us|eu|eur|fr|jp|au)"
_UNIT = r"(?:\s?(?:cm|mm|m|米|厘米|ft|feet|inch(?:es)?|in|寸|'|\"))?"
_NUMBER = r"\d{1,3}(?:\.\d{1,2})?"
_BODY = rf"""
    (?=[\daefghijmnsuw欧美英日腰尺穿换拍选要有码鞋])(?:
    (?<![a-z0-9.])(?:{_REGION}\s?-?|(?:欧|美|英|日)码\s?){_NUMBER}(?![\d元块$.]|码) (?:\s?码)?
  | (?<![a-z0-9.]){_NUMBER}(?:码半|\s?(?:欧码|美码|英码|码|英寸|寸|吋|["”]))
  | (?<![a-z0-9.]){_NUMBER}\s?-?\s?inch(?:es)?\b(?!\s(?:chest|bust|hip))
  | (?<![a-z0-9.]){_NUMBER}\s{_REGION}\b
  | (?<![a-z0-9.])(?:3[3-9]|4[0-8])(?:\.5)?号(?![线楼店])
  | (?<![a-z0-9.])\d{{1,3}}(?:\.\d+)?{_UNIT}\s?(?:x|\*|by)\s?\d{{1,3}}(?:\.\d+)?{_UNIT}(?![a-z0-9])
  | (?<![a-z0-9.])\d{{3}}/\d{{2,3}}[aby]?(?![\dr]|\s?(?:kg|斤|公斤))
  | (?<![a-z0-9.])[2-6]t(?![a-z0-9恤])
  | (?<![a-z0-9.])w\d{{2}}\s?/?\s?l\d{{2}}(?![a-z0-9])
  | 腰围\s?(?P<waist>2[4-9]|3\d|4[0-4])(?![\d厘c.])
  | [23]尺\d?
  | \b(?:sizes?|sz)\s?:?\s?(?:is\s|of\s)?(?P<size>(?:(?:uk|us|eu)\s?)?{_NUMBER}(?:/\d{{1,2}})?)(?![\d.]?\d|%)
  | (?:尺码|鞋码|码数)\s?(?:是|选|为|:)?\s?(?P<zh>\d{{2,3}}(?:\.5)?)(?![\d元块])
  | \b(?:wo)?mens?'?s?\s(?P<mens>\d{{1,2}}(?:\.5)?)(?![\d.]|\s?(?:%|pairs?|items?|pieces?|shirts?))
  | \bin\san?\s(?P<ina>\d{{1,2}}(?:\.5)?)(?=$|[\s,.?!])
    (?!\s(?:day|week|month|hour|minute|year|pack|set|star|dollar|box))
  | (?:有|要|换成?)\s?(?P<metres>\d(?:\.\d{{1,2}})?米)(?![\d高])
  | (?P<tall>(?<![\d.高])(?:[89]|1[0-7])[05]cm)(?=的|有|还|码)
  | (?P<pair>(?<![a-z0-9.月满第-])(?:3[4-9]|4[0-7])(?:\.5|半)?)(?=的?(?:吗|有|还|没|么|断|缺|补))
  | \b(?:have|get|need|want|for|into)\san?\s(?P<some>\d{{1,2}}(?:\.5)?)(?=$|[,.?!]|\s(?:instead|in|please|or|if))
  | (?:穿|换成?|拍|选|要)\s?(?P<worn>(?:3[3-9]|4[0-8])(?:\.5)?)(?![\d元块个件双条年天码号寸欧.:-])
  | (?<![\w.$£€-])(?:[4-9]|1[0-4])\.5(?=$|[\s,?!](?!\s?(?:inch|cm|kg|lb|hour|day|star|mm|ft|feet|oz|gb|l\b|m\b)))
  | \bwaist\s(?:size\s)?(?P<belt>\d{{2}})\b | \b(?P<back>\d{{2}})\swaist\b
    )
"""
_SIZE = re.compile(_BODY, re.VERBOSE)
_SPOKEN = re.compile("[二三四五]?十[一二三四五六七八九]?码|[二三]尺[一二三四五六七八九]?")
_BED = re.compile(
    r"[一二两]米[一二三四五六七八九]?(?=的?[大小]?床|的)|(?<![a-z0-9.])(?:\d(?:\.\d{1,2})?(?:米|m)(?![a-z])\d?(?:\s?[x*]\s?\d(?:\.\d{1,2})?(?:米|m))?)"
)
_RING = re.compile(r"(?<![\d.月])\d{1,2}号(?=$|[的吗有,?? ]|戒|圈)")
_SHOE = re.compile(r"(?<![a-z0-9.月-])(?:3[3-9]|4[0-8])(?:\.5)?(?=$|[\s,.?!的了有还没吗么能](?![\d]))")
_TROUSERS = r"[2-4]\d\s?(?:w(?:\s?/?\s?\d{2}\s?l)?|/\s?\d{2})"
_BRA = r"(?:2[68]|3[0-9]|4[0-8]|[789][05])\s?(?:dd|[a-h])(?:罩杯|杯)?"
_CLOTHES = re.compile(rf"(?<![a-z0-9.])(?:{_TROUSERS}|{_BRA})(?![a-z0-9])")
_BESIDE = {"home": _BED, "jewellery": _RING, "shoes": _SHOE, "other_languages": _SHOE, "clothing": _CLOTHES}
"""By department of products: shapes that are sizes only in a text that names one of it."""


def sizes(folded: str, departments: Iterable[str]) -> list[tuple[int, int]]:
    """Where sizes with numbers stand in a folded text, from left to right; body height, weight and volume are none.

    Args:
        folded: the text.
        departments: of the products it names.
    """
    found = [_span(match) for match in _SIZE.finditer(folded)]
    shapes = [_BESIDE[department] for department in departments if department in _BESIDE]
    if "码" in folded or "尺" in folded:
        shapes.append(_SPOKEN)
    for shape in shapes:
        found += [match.span() for match in shape.finditer(folded) if not _inside(match.start(), found)]
    return sorted(found)


def _span(match: re.Match[str]) -> tuple[int, int]:
    return match.span(match.lastgroup) if match.lastgroup else match.span()


def _inside(position: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)
