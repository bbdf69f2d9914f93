"""Rules on the caption alone: styles that clash, metas that belong in their fields, words that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from acestep_nb.locales import _
from acestep_nb.song import Song
from acestep_nb.writing.context import Context
from acestep_nb.writing.data import load
from acestep_nb.writing.hints import Fix, Hint, changed
from acestep_nb.writing.keys import Meta, metas_in, odd_meters
from acestep_nb.writing.syllables import script_of
from acestep_nb.writing.terms import Found, find, first, listed, pattern, tidied

_CLAUSE = re.compile(r"[^,;，、；。.\n]+")
_BETWEEN = re.compile(
    r"\s+(?:and|with|plus|meets|vs\.?|versus|x|&|\+|y|con|und|mit|et|avec)\s+|と|和|与|與|와 |과 |\s*[&+×/]\s*"
)
_EVOLUTION = {
    "ja": "始まりは{}、やがて{}に変わる",
    "zh": "开头是{}，然后转为{}",
    "ko": "시작은 {}, 이어서 {}(으)로 바뀜",
    "es": "empieza como {} y luego se convierte en {}",
    "en": "starts as {}, then turns into {}",
}
_CLASHES = (("extreme", ("gentle", "roots", "mild")), ("hard", ("gentle", "roots")))
_LATIN_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SPANISH = re.compile(r"[áéíóúñ]|\b(?:música|clásica|con|metal extremo|suave|voz|guitarra)\b", re.IGNORECASE)


def style_conflict(context: Context) -> Iterator[Hint]:
    """``style-conflict``: two styles that do not mix, asked for at the same time."""
    caption = context.song.caption
    if context.caption_evolves:
        return
    clash = _clash(caption)
    if clash is None:
        return
    one, other = clash
    message = _(
        "“{one}” and “{other}” clash when both sound at once; let one follow the other.",
        one=one.word,
        other=other.word,
    )
    fix = changed(caption=_as_evolution(caption, one, other))
    yield Hint("style-conflict", "warning", message, ("caption", other.start, other.end), fix)


def metas_in_caption(context: Context) -> Iterator[Hint]:
    """``metas-in-caption``: a tempo, key, meter or length that has a field of its own."""
    caption = context.song.caption
    for meta in metas_in(caption):
        written = caption[meta.start : meta.end].strip()
        message = _("“{words}” belongs in {field}, not in the caption.", words=written, field=meta.field)
        fix = None if meta.value is None else _moved(meta, written)
        yield Hint("metas-in-caption", "warning", message, ("caption", meta.start, meta.end), fix)


def odd_time(context: Context) -> Iterator[Hint]:
    """``odd-time-signature``: a meter that the models have heard little of."""
    tags = [("lyrics", tag.start, context.song.lyrics[tag.start : tag.end]) for tag in context.lyrics.tags]
    for field, offset, text in [("caption", 0, context.song.caption), *tags]:
        for start, end in odd_meters(text):
            message = _(
                "“{words}” is rare in training: 4/4, 3/4 and 6/8 are kept to best.",
                words=text[start:end].strip(),
            )
            yield Hint("odd-time-signature", "warning", message, (field, offset + start, offset + end))


def vague_caption(context: Context) -> Iterator[Hint]:
    """``vague-caption``: words that would fit any song."""
    caption = context.song.caption.strip()
    if not caption:
        return
    generic = load("words")["generic"]
    vague = _vague_spaceless(caption) if script_of(caption) != "en" else _vague_latin(caption)
    if vague is None:
        return
    named = pattern([*generic["nouns"], *generic["spaceless_nouns"]]).search(caption)
    severity = "warning" if vague != "style" and (named or vague == "generic") else "info"
    message = _("The caption would fit any song: name a style, a player, a texture or a voice as well.")
    yield Hint("vague-caption", severity, message, ("caption", 0, len(context.song.caption)))


def _clash(caption: str) -> tuple[Found, Found] | None:
    """The first two styles or plain opposites that clash; a named blend (``symphonic metal``) clears all."""
    if listed("hybrids").search(caption):
        return None
    for loud, softs in _CLASHES:
        for noise in find(listed("clashing_styles", loud), caption):
            for hit in (hit for soft in softs for hit in find(listed("clashing_styles", soft), caption)):
                if hit.end <= noise.start or hit.start >= noise.end:
                    return (hit, noise) if hit.start < noise.start else (noise, hit)
    return _opposites(caption)


def _opposites(caption: str) -> tuple[Found, Found] | None:
    """Two clauses that are nothing but opposite words: ``calm, aggressive``."""
    clauses = [
        Found(
            match.group().strip(),
            match.start() + len(match.group()) - len(match.group().lstrip()),
            match.end(),
        )
        for match in _CLAUSE.finditer(caption)
    ]
    for left, right in load("words")["opposites"]:
        hits = [
            [clause for clause in clauses if pattern(side).fullmatch(clause.word)] for side in (left, right)
        ]
        if all(hits):
            one, other = sorted((hits[0][0], hits[1][0]), key=lambda hit: hit.start)
            return one, other
    return None


def _as_evolution(caption: str, one: Found, other: Found) -> str:
    """The caption with the two styles put one after the other, at the place of the first."""
    clauses = [match.span() for match in _CLAUSE.finditer(caption)]
    parts: list[str] = []
    for start, end in clauses:
        clause = caption[start:end].strip()
        holds = [hit for hit in (one, other) if start <= hit.start < end]
        if not holds:
            parts.append(clause)
        elif holds[0] is one:
            parts.append("{}")
    sides = [_side(caption, clauses, hit, other if hit is one else one) for hit in (one, other)]
    language = script_of(caption)
    if language == "en" and _SPANISH.search(caption):
        language = "es"
    joined = "、" if language == "ja" else "，" if language == "zh" else ", "
    return joined.join(part for part in parts if part).replace("{}", _EVOLUTION[language].format(*sides))


def _side(caption: str, clauses: list[tuple[int, int]], hit: Found, rival: Found) -> str:
    """The style with its adjectives: its clause, cut at the word that joins it to its rival."""
    start, end = next(span for span in clauses if span[0] <= hit.start < span[1])
    if not start <= rival.start < end:
        return caption[start:end].strip()
    for joint in _BETWEEN.finditer(caption, min(hit.end, rival.end), max(hit.start, rival.start)):
        return (
            caption[start : joint.start()] if hit.start < rival.start else caption[joint.end() : end]
        ).strip()
    return hit.word


def _moved(meta: Meta, written: str) -> Fix:
    def fix(song: Song) -> Song:
        place = song.caption.find(written)
        if place < 0:
            return song
        caption = tidied(song.caption[:place] + song.caption[place + len(written) :])
        value = getattr(song, meta.field)
        return changed(**{"caption": caption, meta.field: meta.value if value is None else value})(song)

    return fix


def _vague_latin(caption: str) -> str | None:
    """``generic``, ``mood`` or ``style`` if the words say no more than that, else ``None``."""
    generic = load("words")["generic"]
    words = [word.lower() for word in _LATIN_WORD.findall(caption)]
    empty, moods = {*generic["nouns"], *generic["words"]}, set(generic["moods"])
    about = next((at for at, word in enumerate(words) if word in generic["about"]), len(words))
    head = words[:about]
    if about < len(words) and not set(head) & set(generic["nouns"]):
        return None
    told = [word for word in head if word not in empty and word not in moods]
    if re.search(r"\d", caption) or (told and not (len(words) <= 4 and set(head) & set(generic["nouns"]))):
        return None
    if told:
        return "style" if all(_is_genre(word) for word in told) and about == len(words) else None
    if about < len(words) and _speaks_of_sound(caption):
        return None
    return "generic" if any(word in empty for word in head) else "mood"


def _vague_spaceless(caption: str) -> str | None:
    generic = load("words")["generic"]
    rest = pattern(generic["spaceless"]).sub("", caption)
    if re.sub(r"[\W_]+", "", rest):
        return None
    return "generic" if pattern(generic["spaceless_nouns"]).search(caption) else "mood"


def _is_genre(word: str) -> bool:
    genres = load("words")["genre_instruments"]
    return any(listed("genre_instruments", genre, "words").fullmatch(word) for genre in genres)


def _speaks_of_sound(caption: str) -> bool:
    words = load("words")
    lists: list[tuple[str, ...]] = [("instruments", name) for name in words["instruments"]]
    lists += [("genre_instruments", name, "words") for name in words["genre_instruments"]]
    lists += [("voices", name) for name in ("any", "female", "male")]
    return any(first(listed(*path), caption) for path in lists)
