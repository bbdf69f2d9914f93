"""How many notes a line wants: syllables as they are sung (in Japanese: morae), word by word.

Tags and backing vocals in parentheses do not count, a vowel that is repeated to hold a note counts once,
and words are not run together (``de amor`` has three). Chinese and Korean count characters, Japanese
counts kana and the reading of kanji, Latin scripts go by the rules of their spelling, other alphabets by
vowel signs. English and numbers are estimates where spelling misleads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from acestep_nb.writing.data import load
from acestep_nb.writing.english import count_english
from acestep_nb.writing.lyrics import sung_part
from acestep_nb.writing.morae import count_kana, to_kana

__all__ = ["script_of", "syllables"]

_TOKEN = re.compile(
    r"(?P<kana>[぀-ヿー〜～々一-鿿㐀-䶿\uf900-\ufaffｦ-ﾟ]+)"
    r"|(?P<hangul>[가-힣ㄱ-ㅎㅏ-ㅣ]+)"
    r"|(?P<number>\d+)"
    r"|(?P<word>[^\W\d_]+(?:['’‘-]+[^\W\d_]+)*['’]?)"
)
_KANA = re.compile("[぀-ヿ]")
_HAN = re.compile(r"[一-鿿㐀-䶿\uf900-\ufaff々]")


def syllables(line: str, language: str | None = None) -> int:
    """Syllables of one line; ``language`` is a code such as ``en``, without one the script decides."""
    text = unicodedata.normalize("NFC", sung_part(line))
    code = (language or "unknown").lower()
    if code in ("", "unknown"):
        code = script_of(text)
    return sum(_token(match, code) for match in _TOKEN.finditer(text))


def script_of(text: str) -> str:
    """The language that the script itself tells: ``ja``, ``ko``, ``zh``, else ``en``."""
    if _KANA.search(text):
        return "ja"
    hangul, han = len(re.findall("[가-힣]", text)), len(_HAN.findall(text))
    if hangul or han:
        return "ko" if hangul >= han else "zh"
    return "en"


def _token(match: re.Match[str], code: str) -> int:
    text = match.group()
    if match.lastgroup == "kana":
        return _east_asian(text, code)
    if match.lastgroup == "hangul":
        return _hangul(text)
    if match.lastgroup == "number":
        return _number(text, code)
    return _word(text, code)


def _east_asian(text: str, code: str) -> int:
    if code == "ja" or (_KANA.search(text) and code not in ("zh", "yue")):
        return count_kana(to_kana(text))
    return len(_HAN.findall(text)) + count_kana("".join(_KANA.findall(text)))


def _hangul(text: str) -> int:
    """Blocks; two or more bare vowels that go on with the vowel before them hold it: ``너어어`` is one."""
    total, vowel, run = 0, -1, 0
    for char in text:
        if not "가" <= char <= "힣":
            continue
        onset, medial, coda = _jamo(char)
        run = run + 1 if onset == _SILENT_ONSET and medial == vowel and not coda else 0
        total += {2: -1}.get(run, 1) if run < 3 else 0
        vowel = -1 if coda else _OPENED.get(medial, medial)
    return total


_SILENT_ONSET = 11  # ㅇ
_OPENED = {2: 0, 6: 4, 12: 8, 17: 13}  # ㅑ goes on as ㅏ, ㅕ as ㅓ, ㅛ as ㅗ, ㅠ as ㅜ


def _jamo(block: str) -> tuple[int, int, int]:
    """Onset, vowel and coda of a block by the arithmetic of the Unicode standard, section 3.12."""
    index = ord(block) - 0xAC00
    return index // 588, index % 588 // 28, index % 28


def _number(digits: str, code: str) -> int:
    numbers = load("pace")["numbers"]
    if code in ("zh", "yue", "ko", "ja"):
        said = numbers["ja"] if code == "ja" else [1] * 10
        return _by_places(digits, said, place=2 if code == "ja" else 1)
    table = numbers.get(code, numbers["en"])
    pairs = [digits[max(0, end - 2) : end] for end in range(len(digits), 0, -2)]
    return sum(_pair(int(pair), table) for pair in pairs)


def _pair(value: int, table: dict[str, Any]) -> int:
    """Numbers below 100; ``treinta y dos`` joins with a word from the thirties on."""
    if value < 20:
        return int(table["units"][value])
    ten, unit = divmod(value, 10)
    joint = table["joint"] if ten > 2 else 0
    return int(table["tens"][ten - 2] + (table["units"][unit] + joint if unit else 0))


def _by_places(digits: str, said: list[int], place: int) -> int:
    """Numbers below 10 000 as 二千三百四: a digit, then its place; longer ones digit by digit."""
    if len(digits) > 4 or int(digits) == 0:
        return sum(said[int(digit)] for digit in digits)
    total = 0
    for zeros, digit in zip(range(len(digits) - 1, -1, -1), map(int, digits)):
        if digit:
            total += (said[digit] if digit > 1 or not zeros else 0) + (place if zeros else 0)
    return total


def _word(word: str, code: str) -> int:
    plain = word.replace("’", "'").replace("‘", "'")
    plain = re.sub(r"([aeiouyáéíóúàèìòùäöü])(?:-\1)+(?=\w)", r"\1", plain, flags=re.IGNORECASE)
    counter = _COUNTERS.get(code, count_english if code in ("en", "zh", "ja", "ko", "yue") else _by_vowels)
    return max(1, sum(counter(part) for part in plain.split("-") if part))


def _letters(word: str) -> str:
    """Lower-case letters with held ones (three or more of a kind) written once."""
    return re.sub(r"(\w)\1{2,}", r"\1", word.lower())


def _spanish(word: str) -> int:
    """Vowels, less the weak ones (i, u without accent) that lean on a neighbour; h is not heard."""
    text = re.sub(r"(?<=[qg])u(?=[eéií])", "", _letters(word).replace("'", ""))
    text = re.sub(r"y$|y(?![aeiouáéíóúü])", "i", text).replace("h", "")
    groups = re.findall(r"[aeiouáéíóúü]+", text)
    return sum(_spanish_group(group) for group in groups)


def _spanish_group(group: str) -> int:
    strong = len(re.findall("[aeoáéóíú]", group))
    return max(1, strong)


def _romance(word: str) -> int:
    """Italian and Portuguese: as Spanish, nasal vowels too, and a weak vowel before a final one stands alone."""
    text = unicodedata.normalize("NFC", _letters(word))
    text = re.sub(r"[ãâà]", "a", text).replace("õ", "o").replace("ô", "o").replace("ê", "e").replace("è", "e")
    text = re.sub(r"(?<=[qg])u(?=[aeio])", "", text)
    text = re.sub(r"(?<=[cg])i(?=[aou])", "", text)
    return _spanish(re.sub(r"^([^aeiou]*)([iu])([aeo])$", r"\1í\3", text.replace("ò", "ó").replace("ù", "ú")))


def _german(word: str) -> int:
    text = _letters(word).replace("qu", "kw")
    groups = re.findall(r"[aeiouyäöü]+", text)
    pairs = re.compile(r"aa|ee|oo|ai|ei|au|äu|eu|ie(?!n$)|ui|ay|ey|[aeiouyäöü]")
    return sum(len(pairs.findall(group)) for group in groups)


def _french(word: str) -> int:
    """Vowel groups without the mute e of endings, which is mostly left unsung."""
    vowels = "aeiouyàâéèêëîïôùûüœæ"
    text = re.sub(r"(?<=[qg])u(?=[eéèêi])", "", _letters(word).split("'")[-1])
    count = len(re.findall(f"[{vowels}]+", text)) + len(
        re.findall(r"[éëï][aou]|[aou][éëï]|[aeo]y[aeéo]", text)
    )
    return count - int(count > 1 and bool(re.search(f"[^{vowels}]es?$", text)))


def _by_vowels(word: str) -> int:
    """Other alphabets: groups of vowel letters, else half of the letters where vowels go unwritten."""
    plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))
    if re.search("[а-яёіїєґў]", plain):
        return len(re.findall("[аеёиоуыэюяіїє]", plain))
    if re.search("[α-ω]", plain):
        return len(re.findall("ου|αι|ει|οι|υι|αυ|ευ|[αεηιουω]", plain))
    if groups := re.findall("[aeiouyøæœıə]+", plain):
        return len(groups)
    return (len(plain) + 1) // 2


_COUNTERS: dict[str, Callable[[str], int]] = {
    "es": _spanish,
    "ca": _spanish,
    "it": _romance,
    "pt": _romance,
    "de": _german,
    "fr": _french,
}
