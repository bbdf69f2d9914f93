"""Japanese morae: kana by their rules, kanji by a reader if one is installed, else by an estimate.

The reader is ``fugashi`` with ``unidic-lite`` (``pip install "acestep-nb[japanese]"``). Without it, words
of songs that we know are looked up, and every other kanji is taken for two morae.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from acestep_nb.writing.data import load

_HAN = re.compile(r"[一-鿿㐀-䶿\uf900-\ufaff々]")
_SMALL_Y = "ゃゅょゎャュョヮ"
_ROWS = {
    "あ": "あかがさざただなはばぱまやらわゃアカガサザタダナハバパマヤラワャ",
    "い": "いきぎしじちぢにひびぴみりイキギシジチヂニヒビピミリ",
    "う": "うくぐすずつづぬふぶぷむゆるゅウクグスズツヅヌフブプムユルヴュ",
    "え": "えけげせぜてでねへべぺめれエケゲセゼテデネヘベペメレ",
    "お": "おこごそぞとどのほぼぽもよろをょオコゴソゾトドノホボポモヨロヲョ",
}
_SMALL = dict(zip("ぁぃぅぇぉァィゥェォ", "あいうえおあいうえお"))


def count_kana(text: str) -> int:
    """Morae of kana: っ, ん and ー count one, ゃゅょ and the small vowels of ファ or ティ none.

    Three or more of one vowel, and two or more ー, hold a note and count once.
    """
    held = re.sub(r"[ー〜～]{2,}", "ー", text)
    held = re.sub(r"([あいうえおアイウエオ])\1{2,}", r"\1", held)
    held = re.sub(r"([ぁぃぅぇぉァィゥェォ])\1+", r"\1", held)
    return sum(_weight(held[at - 1] if at else "", char) for at, char in enumerate(held))


def to_kana(text: str) -> str:
    """The text with each kanji replaced by its reading."""
    if not _HAN.search(text):
        return text
    for written, sung in sorted(load("japanese")["sung"].items(), key=lambda item: -len(item[0])):
        text = re.sub(f"(?<![一-鿿々]){written}(?![一-鿿々])", sung, text)
    if not _HAN.search(text):
        return text
    tagger = _tagger()
    if tagger is None:
        return _estimate(text)
    return "".join(_reading(word) for word in tagger(text))


def _weight(before: str, char: str) -> int:
    if char in _SMALL_Y:
        return 0
    if char in _SMALL:
        return int(before in _ROWS[_SMALL[char]])
    return int("ぁ" <= char <= "ゖ" or "ァ" <= char <= "ヺ" or char in "ー〜～" or "ｦ" <= char <= "ﾝ")


def _reading(word: Any) -> str:
    if not _HAN.search(word.surface):
        return str(word.surface)
    kana = getattr(word.feature, "kana", None)
    return str(kana) if kana and kana != "*" else _estimate(word.surface)


def _estimate(text: str) -> str:
    """Kana of about the right length: the longest words that we know, two morae for any other kanji."""
    known = load("japanese")["estimate"]
    words = re.compile("|".join(sorted(map(re.escape, known), key=len, reverse=True)))
    return _HAN.sub("らら", words.sub(lambda match: "ら" * int(known[match.group()]), text))


@cache
def _tagger() -> Any:
    try:
        import fugashi

        return fugashi.Tagger()
    except (ImportError, RuntimeError):  # RuntimeError: fugashi without a dictionary
        return None
