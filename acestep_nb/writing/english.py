"""Syllables of an English word by the rules of its spelling, and by a list where spelling misleads."""

from __future__ import annotations

import re
from functools import cache

from acestep_nb.writing.data import load

_VOWELS = "aeiouy"
_SPLIT = (  # neighbours that are two vowels, though the letters stand together
    re.compile(r"[aeou]y?ing|[^aeou]ying"),
    re.compile(r"[aeo]y[aeo](?!d$)"),
    re.compile(r"(?<![tscgx])i[ao](?!u|ge)(?<!lia[nr])(?<!lian)|(?<=[cg])io(?=l)|[ct]iat"),
    re.compile(r"(?<![tscgx])iou|iu[ms]$"),
    re.compile(r"(?<![qg])u[ao](?!r[dt])(?!y)|(?<![qg])ue(?=n)"),
    re.compile(r"(?<=[aeiouy][^aeiouy])ie(?:r|st)$|(?<=[aeiouy][^aeiouy][^aeiouy])ie(?:r|st)$"),
    re.compile(r"eo(?![uw])(?!ple)"),
    re.compile(r"(?<=[bdlnrv])ien(?=[ct])"),
    re.compile(r"(?:cr|^r)ea(?=t[eio]|ct)|^real(?=i)"),
)
_COMPOUND = re.compile(  # first parts whose own e is not heard
    r"^(some|home|life|love|time|side|fire|house|space|live|like|place|where|there|fore|fate|name|wave|stone"
    r"|lone|line|base|game|smoke|flame|make|take|shore|store|force|grave|hope|care|grate|peace|tire|blame"
    r"|shame|taste|noise|voice|cease|wake|pure|sure|safe|late|rare|wise|wide|large|strange|close|whole|fine"
    r"|vine|pine|bone|bare|face|lace|race|grace|page|stage|cage|price|free|spine|frame)(?=[b-df-hj-np-tv-xz][a-z]{2})"
)
_NO_PART = re.compile(r"(?:st|ns|ry|ral|rate|nt|nts|nce|rence|ncy|nda)$")


def count_english(word: str) -> int:
    """Syllables of one word, at least one; an apostrophe may stand in it."""
    text = re.sub(r"(\w)\1{2,}", r"\1", word.lower())
    if (known := _listed().get(text.strip("'"))) is not None:
        return known
    if re.fullmatch(r"(?:[bcdfghjklmnpqrstvxz])+", text) and word.isupper() and 1 < len(word) <= 4:
        return len(word)  # initials are spelled out
    stem, extra = _without_clitic(text)
    if (known := _listed().get(stem)) is not None:
        return known + extra
    singular = stem.removesuffix("s")
    if singular != stem and (known := _listed().get(singular)) is not None:
        return known + extra + int(bool(re.search(r"(?:ce|ge|se|x|ze|che|she)$", singular)))
    return max(1, _by_rule(stem)) + extra


def _without_clitic(text: str) -> tuple[str, int]:
    """The word before ``'s``, ``n't`` and their like, and the syllables that these add."""
    stem, *tails = text.split("'")
    if not stem or not all(tail in _CLITICS for tail in tails):
        return text.replace("'", ""), 0
    extra, before = 0, stem
    for tail in tails:
        if tail == "t" and before.endswith("n"):
            extra += int(before[-2:-1] not in _VOWELS + "rw" and before not in ("can", "won", "don"))
            stem = before[:-1]
        elif tail == "s":
            extra += int(bool(re.search(r"(?:s|x|z|ch|sh|ce|ge)$", before)))
        else:
            extra += int(tail in ("ll", "ve", "d") and before.endswith(("t", "d")))
        before = tail
    return stem, extra


_CLITICS = ("t", "s", "ll", "ve", "d", "re", "m", "", "n")


def _by_rule(word: str) -> int:
    compound = _COMPOUND.match(word)
    if compound and not _NO_PART.match(rest := word[compound.end() :]) and re.search("[aeiouy]", rest):
        return _by_rule(compound.group(1)) + count_english(rest)
    text = re.sub(r"^y(?=[aeiou])", "j", word)
    text = re.sub(r"(?<=q)ues?$|(?<=[^r]g)ues?$", "", text)
    text = re.sub(r"qu|gu(?=[aeiy].)", "q", text)
    count = len(re.findall(f"[{_VOWELS}]+", text))
    count += sum(1 for rule in _SPLIT if rule.search(text))
    count += int(bool(re.search(r"(?:sm|thm)s?$", text))) - int(bool(re.search(r"[aeiouy].*ically$", text)))
    return count - _silent(text, count)


def _silent(text: str, count: int) -> int:
    """1 where the e of the ending is written only: ``loved``, ``miles``, ``hopeful``."""
    if count < 2 or re.search(r"[^aeiouylr]les?$|[^aeiouylr]led$|[^aeiouylr]red$|[cg]res?$", text):
        return 0
    if re.search(r"[^aeiouy]e$|[^aeiouy]e(?:ly|ful|fully|less|ment|ments|ness|fulness)$", text):
        return 1
    if re.search(r"[^aeiouy]es$", text):
        return int(not re.search(r"(?:s|x|z|ch|sh|c|g)es$", text))
    return int(bool(re.search(r"[^aeiouydt]ed$", text)))


@cache
def _listed() -> dict[str, int]:
    table = load("english")["syllables"]
    return {word: int(number) for number, words in table.items() for word in words.split()}
