"""Whether two lines rhyme, by their spelling: exactly, or nearly, in English, Spanish, German and French.

A rime is the set of vowels that the letters may stand for and the consonants after it. English spelling
leaves some open (``ow`` of ``low`` and ``now``), so two words rhyme when any of their vowels agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["loose", "strict"]


@dataclass(frozen=True)
class Rime:
    """The vowels that may sound in the last syllable that rhymes, and the consonants that follow."""

    vowels: frozenset[str]
    coda: str


# Letters of a rime (after silent letters are dropped) and the vowels they may stand for.
_ENGLISH = (
    (r"igh|eigh(?=t)|uy|ye$|ie$", "AI"),
    (r"augh|ough", "O AU UU OO"),
    (r"air|are|aire", "ER"),
    (r"ear", "IR AR ER"),
    (r"eer|ere|ier", "IR ER"),
    (r"oor|oar|ore|our|or", "OR UR ER"),
    (r"ire|yre|ier$", "AIR"),
    (r"er|ir|ur|ure", "ER UR"),
    (r"ar", "AR OR"),
    (r"ai|ay|eigh|ei", "EI E"),
    (r"ey", "EI I"),
    (r"ee", "I"),
    (r"ea", "I E EI"),
    (r"ie", "I AI E"),
    (r"oa|oe", "OU"),
    (r"ow", "OU AU"),
    (r"ou", "AU UU A OU"),
    (r"oo", "UU U A"),
    (r"ew|ue|eu|ui", "UU"),
    (r"oi|oy", "OI"),
    (r"au|aw", "OO O"),
)
_OPEN = {"a": "A O", "e": "I E", "i": "AI I", "o": "OU UU", "u": "UU", "y": "I AI"}
_SHORT = {"a": "AE", "e": "E", "i": "IH AI", "o": "O OO", "u": "A U", "y": "IH"}
_TURNED = (  # letters around a short vowel that change how it sounds
    (r"(?:w|wh|qu)a[^aeiou]", "O A AE"),
    (r"all?[tdk]?$|alls$", "OO O"),
    (r"o(?:ld|ll|lt|st|th|lk)s?$", "OU O OO"),
    (r"(?:m|l|d|s|w|fr|t|c|n)o(?:n|nth|th|ng|me|ne|ve|n't)s?$", "A O OU OO"),
)
_LONG = {"a": "EI AE", "e": "I E", "i": "AI IH I", "o": "OU A UU O", "u": "UU", "y": "AI"}
_CODAS = {"ck": "k", "c": "k", "gh": "", "ght": "t", "dge": "j", "ph": "f", "ff": "f", "ll": "l", "ss": "s"} | {
    "tt": "t", "nn": "n", "mb": "m", "lk": "k", "lm": "m", "mn": "m", "ce": "s", "se": "z", "x": "ks", "rr": "r"
}  # fmt: skip
_KIN = ("mn", "ptk", "bdg", "fs", "vzj", "lr")


def strict(one: str, other: str, language: str) -> bool:
    """Whether the lines rhyme as a songbook would have it: one vowel and the same consonants after it."""
    first, second = rime(one, language), rime(other, language)
    if first is None or second is None:
        return False
    return first.coda == second.coda and bool(first.vowels & second.vowels)


def loose(one: str, other: str, language: str) -> bool:
    """Whether the lines end alike at all: the same vowels, with no or related consonants after them."""
    first, second = rime(one, language), rime(other, language)
    if first is None or second is None or not first.vowels & second.vowels:
        return False
    return language == "es" or first.coda == second.coda or _kin(first.coda, second.coda)


@lru_cache(maxsize=2048)
def rime(line: str, language: str) -> Rime | None:
    """The rime of the line's last word, or ``None`` without one that we can read."""
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", line.lower())
    if not words:
        return None
    word = words[-1].replace("’", "'")
    reader = {"en": _english, "es": _spanish, "de": _german, "fr": _french}.get(language)
    return reader(word) if reader else None


def _kin(one: str, other: str) -> bool:
    return bool(one and other) and any(one[-1] in family and other[-1] in family for family in _KIN)


def _english(word: str) -> Rime | None:
    text = re.sub(r"'(?:s|d|ll|ve|re|m)$", lambda match: match.group()[1:], word).replace("'", "")
    if match := re.search(r"([aeiouy])([^aeiouyrw]{1,2}|th|st)e(s|d)?$", text):
        if text.endswith("le") or text[: match.start()].endswith(tuple("aeiou")):
            return _by_group(re.sub(r"e$", "", text))
        if match[1] == "o" and match[2] in ("v", "m", "n", "s"):  # love, move, some, gone, lose
            return Rime(frozenset(("A", "UU", "OU", "O")), _coda(match[2], True) + (match[3] or ""))
        return Rime(frozenset(_LONG[match[1]].split()), _coda(match[2], True) + (match[3] or ""))
    return _by_group(text)


def _by_group(text: str) -> Rime | None:
    match = re.search(r"([aeiouy]+(?:gh|w(?![aeiou])|r(?:e(?=s?$))?)?)([^aeiouy]*?)(e?d|e?s)?$", text)
    if match is None:
        return None
    group, coda, ending = match[1], match[2], match[3] or ""
    for letters, vowels in _ENGLISH:
        if re.fullmatch(letters, group):
            return Rime(frozenset(vowels.split()), _coda(coda + ending))
    vowel = group[-1] if group[-1] in _SHORT else group[0]
    for letters, vowels in _TURNED:
        if coda and re.search(letters, text):
            return Rime(frozenset(vowels.split()), _coda(coda + ending))
    table = _OPEN if not coda + ending else _SHORT
    return Rime(frozenset(table.get(vowel, _SHORT[vowel]).split()), _coda(coda + ending))


def _coda(letters: str, before_e: bool = False) -> str:
    text = re.sub(r"(.)\1", r"\1", letters)
    if before_e:
        text = {"c": "s", "s": "s", "g": "j"}.get(text, text)
    for spelled, sound in _CODAS.items():
        if text.endswith(spelled) and len(spelled) > 1:
            return text[: -len(spelled)] + sound
    return _CODAS.get(text, text)


def _spanish(word: str) -> Rime | None:
    """From the stressed vowel on; strict compares letters, loose the vowels alone (assonance)."""
    plain = word.replace("h", "").replace("qu", "k").replace("v", "b").replace("ll", "y")
    groups = [match.span() for match in re.finditer(r"[aeiouáéíóúü]+", plain)]
    if not groups:
        return None
    marked = re.search("[áéíóú]", plain)
    last = groups[-1] if re.search(r"[^aeiouns]$", plain) or len(groups) == 1 else groups[-2]
    start = marked.start() if marked else _strong(plain, last)
    tail = plain[start:].translate(str.maketrans("áéíóúü", "aeiouu")).rstrip()
    vowels = re.sub("[^aeiou]", "", tail)
    key = vowels[0] + (vowels[-1] if len(vowels) > 1 else "")
    return Rime(frozenset({key}), re.sub(r"^[aeiou]", "", tail))


def _strong(word: str, span: tuple[int, int]) -> int:
    """Where the loudest vowel of a group stands: a, e or o before i and u."""
    places = [at for at in range(*span) if word[at] in "aeo"]
    return places[-1] if places else span[1] - 1


def _german(word: str) -> Rime | None:
    match = re.search(r"([aeiouyäöü]+)([^aeiouyäöü]+(?:e[nrlms]?|er[ns]|est|et))?([^aeiouyäöü]*)$", word)
    if match is None:
        return None
    alike = {"äu": "eu", "ai": "ei", "ü": "i", "ö": "e", "ä": "e", "aa": "a", "ee": "e"}
    vowel = alike.get(match[1], match[1])
    return Rime(frozenset({vowel}), re.sub(r"(.)\1|h(?=[nmlrt]|$)", r"\1", (match[2] or "") + match[3]))


def _french(word: str) -> Rime | None:
    text = re.sub(r"(?<=[^aeiouyéèê])e?s?$|(?<=[éiu])es?$", "", word.split("'")[-1])
    match = re.search(r"([aeiouyàâéèêëîïôùûüœ]+)([^aeiouyàâéèêëîïôùûüœ]*)$", text)
    return Rime(frozenset({match[1]}), match[2]) if match else None
