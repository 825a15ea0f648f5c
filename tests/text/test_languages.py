"""Languages: by script, and by the model's word where letters are Latin."""

import pytest

from app.text.languages import has_words, language_of
from schemas.outputs import Language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我想买一件羽绒服", "zh"),
        ("請問幾時有貨", "zh"),
        ("iPhone 15 Pro Max 手机壳", "zh"),
        ("有没有 nike air force", "zh"),
        ("white trainers", "en"),
        ("Nike", "en"),
        ("ｎｉｋｅ", "en"),
        ("do you sell 旗袍 in my size at all", "en"),
        ("café au lait mug", "en"),
        ("12345", "other"),
        ("", "other"),
        ("😀😀", "other"),
        ("?!…", "other"),
        ("荷物がまだ届きません", "other"),
        ("спасибо большое", "other"),
        ("배송 언제 와요", "other"),
        ("مرحبا", "other"),
        ("\ud800", "other"),
    ],
)
def test_the_script_tells_the_language(text: str, language: Language) -> None:
    assert language_of(text, 0.0) == language


@pytest.mark.parametrize("text", ["busco un vestido rojo", "où est ma commande"])
def test_among_latin_letters_the_model_tells_what_is_foreign(text: str) -> None:
    assert language_of(text, 0.9) == "other"
    assert language_of("我想退货", 0.9) == "zh"


def test_words_need_letters() -> None:
    assert has_words("a1")
    assert has_words("退")
    assert not has_words("12 😀 ?!")
