"""Keys, tempi and meters as captions spell them, in the languages that songs are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

__all__ = ["Meta", "accidentals", "easier_key", "metas_in", "odd_meters"]

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_JA = dict(zip("ハニホヘトイロ", "CDEFGAB"))
_KO = dict(zip("다라마바사가나", "CDEFGAB"))
_SOLFA = {"do": "C", "re": "D", "mi": "E", "fa": "F", "sol": "G", "la": "A", "si": "B", "ré": "D"}
_ACCIDENTAL = r"(?:\s?(?:#|♯|♭|b(?![a-z])|-?\s?sharp|-?\s?flat))?"
_MINOR = re.compile(r"m(?:in|oll|enor|inore?|ineur)?\b|短|小调|小調|단조|mineur|menor", re.IGNORECASE)

_TEMPO = (
    r"(?:at |around |about |~|a )?(?P<bpm1>\d{2,3})(?:\s*[-–~]\s*(?P<bpm1b>\d{2,3}))?\s*-?\s*"
    r"(?:bpm|b\.p\.m\.?|ppm|beats per minute|拍/分|拍每分|비피엠)",
    r"(?:bpm|テンポ|速度|템포)(?:\s*(?:of|is|は))?\s*[:=：]?\s*(?P<bpm2>\d{2,3})(?:\s*[-–~]\s*(?P<bpm2b>\d{2,3}))?",
    r"\btempo(?:\s+(?:of|is|at|around))?\s*[:=]?\s*(?P<bpm3>\d{2,3})(?:\s*[-–~]\s*(?P<bpm3b>\d{2,3}))?",
    r"[♩♪]\s*=\s*(?P<bpm4>\d{2,3})",
    r"每分钟\s*(?P<bpm5>\d{2,3})\s*拍",
)
_KEYS = (
    rf"(?i:(?:in |the |key of |key: ?|en |in der Tonart )*)\b(?P<key1>[A-H]{_ACCIDENTAL})[\s-]?"
    r"(?P<mode1>(?i:major|minor|maj|min|dur|moll)\b)(?:\s+key)?",
    rf"(?i:(?:in the )?key\s*(?:of|is|:)\s*)(?P<key2>[A-Ga-g]{_ACCIDENTAL})(?P<mode2>m|\s?(?i:major|minor|maj|min))?\b",
    r"(?i:\bin |key of )(?P<key8>[b-g](?:-?\s?sharp|-?\s?flat|#|b)?)[\s-](?P<mode8>major|minor)\b",
    r"(?:^|[,;，、；]\s*)(?P<key9>[A-G](?:#|b|♯|♭)?)(?P<mode9>m)(?=\s*(?:[,;，、；]|$))",
    r"(?:キー|调|調|키)(?:は|が|:|：|\s)*(?P<key10>[A-G](?:#|b|♯|♭)?)(?P<mode10>m)?(?![A-Za-z])",
    r"\bin (?P<key3>[A-G](?:#|b|♯|♭)?)(?P<mode3>m)\b",
    r"(?<![A-Za-z])(?P<key4>[A-G](?:#|b|♯|♭)?|[升降][A-G])\s?(?P<mode4>大调|小调|大調|小調|长调|メジャー|マイナー|장조|단조)",
    r"(?P<key5>[嬰変]?[ハニホヘトイロ])(?P<mode5>長調|短調)",
    r"(?P<key6>[올내]?림?\s?[다라마바사가나])(?P<mode6>장조|단조)",
    r"(?i:\b(?:en |in |en tono de )?(?P<key7>do|ré|re|mi|fa|sol|la|si)(?P<acc7> sostenido| bemol| dièse| bémol)?"
    r"\s(?P<mode7>mayor|menor|majeur|mineur|maggiore|minore)\b)",
)
_METERS = (
    r"(?:in |a |compás de |拍号\s*)?(?<![\d/])(?P<top1>\d{1,2})/(?P<low1>2|4|8|16)(?![\d/])"
    r"[\s-]?(?:time signature|time|meter|metre|feel|groove|beat|takt|拍子|拍|박자|박)?",
    r"(?P<low2>[四八248])分の(?P<top2>\d{1,2}|[二三四五六七九])拍子",
    r"(?P<low3>[四八])(?P<top3>[二三四五六七九])拍",
    r"(?<![\d一-鿿])(?P<top4>[23457９]|[三五七])(?:拍子)",
    r"(?P<low5>[248])분의\s?(?P<top5>\d{1,2})\s?박자?",
    r"\b(?P<top6>two|three|four|five|six|seven|nine|eleven|thirteen)[\s-](?P<low6>four|eight)\b"
    r"(?:\s(?:time signature|time|meter|metre|groove|feel|beat))?",
)
_LENGTH = (
    r"\b(?P<len1>\d{1,3})[\s-]?(?P<unit1>minutes?|mins?|seconds?|secs?)[\s-](?:long|song|track|duration|piece|length)\b",
    r"\b(?:duration|length)(?:\s*[:=]\s*|\s+(?:of\s+)?)(?P<len2>\d{1,3})\s*(?P<unit2>minutes?|mins?|m|seconds?|secs?|s)?\b",
)
_NUMBERS = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
]
_DIGITS = dict(zip("二三四五六七八九", range(2, 10))) | dict(zip(_NUMBERS, range(2, 14)))
_ODD_WORDS = re.compile(
    r"(?<!no )\b(?:odd|irregular|complex|unusual|asymmetric(?:al)?|uneven)[\s-]"
    r"(?:time[\s-]signatures?|meters?|metres?|time)\b"
    r"|変拍子|变拍子|變拍子|奇数拍|変則拍子|변박|변칙 박자"
    r"|\b(?:compás|compases) (?:irregular|irregulares|de amalgama)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Meta:
    """A meta written in a caption: the song's field, the value for it (``None``: not allowed), the place."""

    field: str
    value: str | int | float | None
    start: int
    end: int


def metas_in(caption: str) -> tuple[Meta, ...]:
    """Tempo, key, meter and length where the caption spells them out, in the order of their places."""
    found = [*_tempi(caption), *_keys(caption), *_meters(caption), *_lengths(caption)]
    kept: list[Meta] = []
    for meta in sorted(found, key=lambda meta: (meta.start, -meta.end)):
        if not kept or meta.start >= kept[-1].end:
            kept.append(meta)
    return tuple(kept)


def odd_meters(text: str) -> Iterator[tuple[int, int]]:
    """Where the text asks for a meter other than 2/4, 3/4, 4/4 and 6/8 (12/8 is felt as four)."""
    for meta, top, low in _meter_hits(text):
        if (top, low) not in {(2, 4), (3, 4), (4, 4), (6, 8), (12, 8), (2, 2)}:
            yield meta
    for match in _ODD_WORDS.finditer(text):
        yield match.span()


def accidentals(keyscale: str) -> int:
    """Sharps or flats in the key's signature: 0 for C major, 7 for Cb major."""
    tonic, mode = keyscale.split()
    sharps = _FIFTHS[tonic[0]] + 7 * (tonic.count("#") - tonic.count("b"))
    return abs(sharps - 3 if mode == "minor" else sharps)


def easier_key(keyscale: str) -> str:
    """The same key in its simpler spelling, or, where that is rare too, the neighbour with least signs."""
    tonic, mode = keyscale.split()
    pitch = _SEMITONES[tonic[0]] + tonic.count("#") - tonic.count("b")
    names = _MINOR_NAMES if mode == "minor" else _NAMES
    ranked = [f"{names[(pitch + step) % 12]} {mode}" for step in (0, -1, 1)]
    return ranked[0] if accidentals(ranked[0]) < 5 else min(ranked, key=accidentals)


@cache
def _compiled(expression: str, ignore: bool) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE if ignore else 0)


def _tempi(caption: str) -> Iterator[Meta]:
    for expression in _TEMPO:
        for match in _compiled(expression, True).finditer(caption):
            numbers = [int(number) for number in match.groups() if number]
            value = round(sum(numbers) / len(numbers))
            yield Meta("bpm", value if 30 <= value <= 300 else None, *match.span())


def _keys(caption: str) -> Iterator[Meta]:
    for expression in _KEYS:
        for match in _compiled(expression, False).finditer(caption):
            groups = {name.rstrip("0123456789"): text for name, text in match.groupdict().items() if text}
            yield Meta("keyscale", _key_name(groups), *match.span())


def _key_name(groups: dict[str, str]) -> str:
    written = groups["key"].strip()
    mode = groups.get("mode", "").strip()
    minor = bool(_MINOR.match(mode)) or "短" in mode or "단조" in mode or mode in ("マイナー",)
    tonic = re.sub(r"[升降嬰変올내림\s#♯♭]|sharp|flat|-", "", written, flags=re.IGNORECASE)
    letter = _JA.get(tonic) or _KO.get(tonic) or _SOLFA.get(tonic.lower()) or tonic[0].upper()
    letter = "B" if letter == "H" else letter
    signs = written + groups.get("acc", "").lower()
    sharp = re.search(r"#|♯|sharp|升|嬰|올림|sostenido|dièse", signs, re.IGNORECASE)
    flat = re.search(r"♭|flat|降|変|내림|bemol|bémol|(?<=[A-Ga-g])b$", signs, re.IGNORECASE)
    return f"{letter}{'#' if sharp else 'b' if flat else ''} {'minor' if minor else 'major'}"


def _meters(caption: str) -> Iterator[Meta]:
    for span, top, low in _meter_hits(caption):
        value = {(2, 4): "2", (3, 4): "3", (4, 4): "4", (6, 8): "6"}.get((top, low))
        yield Meta("timesignature", value, *span)


def _meter_hits(text: str) -> Iterator[tuple[tuple[int, int], int, int]]:
    for expression in _METERS:
        for match in _compiled(expression, True).finditer(text):
            groups = {name[:-1]: part for name, part in match.groupdict().items() if part}
            top, low = (_digit(groups.get(name, "4")) for name in ("top", "low"))
            if 2 <= top <= 15:
                yield match.span(), top, low


def _digit(text: str) -> int:
    return _DIGITS.get(text.lower()) or int(text)


def _lengths(caption: str) -> Iterator[Meta]:
    for expression in _LENGTH:
        for match in _compiled(expression, True).finditer(caption):
            groups = {name[:-1]: part for name, part in match.groupdict().items() if part}
            seconds = float(groups["len"]) * (60 if groups.get("unit", "s").lower().startswith("m") else 1)
            yield Meta("duration", seconds if 10 <= seconds <= 600 else None, *match.span())
