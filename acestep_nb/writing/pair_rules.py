"""Rules that hold caption and lyrics against each other: players, energy, voice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from acestep_nb.locales import _, later
from acestep_nb.writing.context import Context
from acestep_nb.writing.data import load
from acestep_nb.writing.hints import Hint, replaced
from acestep_nb.writing.lyrics import Section, Tag
from acestep_nb.writing.palette import TAGS
from acestep_nb.writing.terms import find, first, listed, negated, pattern

_NOT_PLAYERS = re.compile(r"\b(?:bass|beat)[\s-]*drop|drop[\s-]*(?:the[\s-]*)?(?:bass|beat)", re.IGNORECASE)
_VOICE_TAGS = pattern(tag.text for group in TAGS if group.key == "voice" for tag in group.tags)
_QUIET_PLACES = ("intro", "outro", "bridge", "breakdown", "interlude", "end")
_GENDERS = (later("female"), later("male"))


def instrument(context: Context) -> Iterator[Hint]:
    """``caption-lyrics-instrument``: a tag gives the stage to a player that the caption did not hire."""
    caption = context.song.caption
    hired = _players(caption)
    alone = first(pattern(load("words")["closed_ensemble"]), caption) is not None
    if not hired and not alone:
        return
    allowed = hired if alone else hired | _implied(caption)
    for tag in context.lyrics.tags:
        text = _NOT_PLAYERS.sub("", tag.text)
        named = _players(text)
        acoustic_only = _kinds(caption) == {"acoustic"} and "electric" in _kinds(text)
        stranger = bool(named) and not named & allowed
        if stranger or ("guitar" in named & hired and acoustic_only):
            who = ", ".join(sorted(hired)) or _("voices only")
            message = _(
                "[{tag}] asks for a player that the caption does not have ({players}).",
                tag=tag.text,
                players=who,
            )
            yield _tag_hint(context, "caption-lyrics-instrument", message, tag, _hired_tag(context, tag))


def energy(context: Context) -> Iterator[Hint]:
    """``caption-lyrics-energy``: a tag that is much wilder, calmer, gladder or sadder than the caption."""
    if context.caption_evolves:
        return
    caption = context.song.caption
    has = {level: first(listed("energy", level), caption) is not None for level in load("words")["energy"]}
    calm = (has["very_calm"] or has["calm"]) and not has["lively"] and not has["violent"]
    wild = (has["violent"] or has["lively"]) and not has["very_calm"] and not has["calm"]
    answered = any(_any(tag, ("energy", "violent"), ("energy", "lively")) for tag in context.lyrics.tags)
    for section in context.lyrics.sections:
        for tag in section.tags:
            if calm and (_any(tag, ("energy", "violent")) or (has["very_calm"] and _lively(tag))):
                yield _energy_hint(
                    context,
                    tag,
                    _("[{tag}] is wilder than the calm caption; let both tell the same story.", tag=tag.text),
                )
            elif wild and not answered and _low(tag) and _must_be_loud(section, tag, has["violent"]):
                yield _energy_hint(
                    context,
                    tag,
                    _(
                        "[{tag}] is calmer than the energetic caption; let both tell the same story.",
                        tag=tag.text,
                    ),
                )
            elif mood := _other_mood(caption, section, tag):
                yield _energy_hint(context, tag, mood)


def vocal(context: Context) -> Iterator[Hint]:
    """``caption-lyrics-vocal``: another voice than the caption's, or words without a voice, or the reverse."""
    caption = context.song.caption
    wordless = _instrumental(caption)
    voice = _voice(caption)
    if wordless and voice is None:
        yield from _sung_over(context, wordless)
        return
    if voice and not wordless and context.song.lyrics.strip() and not context.lyrics.lines:
        message = _(
            "The caption has a voice ({voice}), but the lyrics have nothing to sing.",
            voice=caption[slice(*voice)],
        )
        yield Hint("caption-lyrics-vocal", "warning", message, ("caption", *voice))
        return
    for section in context.lyrics.sections:
        for tag in section.tags:
            if contradiction := _other_voice(context, section, tag):
                yield _tag_hint(context, "caption-lyrics-vocal", contradiction, tag, _plain(tag))


def _players(text: str) -> set[str]:
    return {name for name in load("words")["instruments"] if first(listed("instruments", name), text)}


def _implied(caption: str) -> set[str]:
    genres = load("words")["genre_instruments"]
    heard = [genre for genre in genres if first(listed("genre_instruments", genre, "words"), caption)]
    absent = {
        name
        for name in load("words")["instruments"]
        if any(
            negated(caption, match.start(), match.end())
            for match in listed("instruments", name).finditer(caption)
        )
    }
    return {player for genre in heard for player in genres[genre]["plays"]} - absent


def _kinds(text: str) -> set[str]:
    return {kind for kind in ("electric", "acoustic") if first(listed("guitar_kinds", kind), text)}


def _hired_tag(context: Context, tag: Tag) -> str | None:
    """The tag with the caption's first player in place of the stranger, if it is the one word named."""
    found = sorted(
        (hit.start, hit.word)
        for name in load("words")["instruments"]
        for hit in find(listed("instruments", name), context.song.caption)
    )
    strangers = [
        hit for name in load("words")["instruments"] for hit in find(listed("instruments", name), tag.name)
    ]
    if not found or not strangers:
        return None
    stranger = max(strangers, key=lambda hit: len(hit.word)).word
    return f"[{tag.name.replace(stranger, found[0][1].title() if stranger[0].isupper() else found[0][1])}]"


def _any(tag: Tag, *lists: tuple[str, ...]) -> bool:
    return any(first(listed(*path), tag.text) for path in lists)


def _low(tag: Tag) -> bool:
    return _any(tag, ("energy_low_tag",))


def _must_be_loud(section: Section, tag: Tag, violent: bool) -> bool:
    """Whether calm is out of place here: in the peaks of a lively song, nearly anywhere in a violent one."""
    if tag.kind == "energy" or section.kind in ("chorus", "drop", "climax"):
        return True
    return violent and section.kind not in _QUIET_PLACES


def _lively(tag: Tag) -> bool:
    return _any(tag, ("energy", "lively"))


def _other_mood(caption: str, section: Section, tag: Tag) -> str | None:
    glad, sad = first(listed("mood_glad"), caption), first(listed("mood_sad"), caption)
    if section.kind in _QUIET_PLACES or bool(glad) == bool(sad):
        return None
    if glad and _any(tag, ("mood_sad",)):
        return _(
            "[{tag}] is sadder than the caption ({mood}); let both tell the same story.",
            tag=tag.text,
            mood=glad.word,
        )
    if sad and _any(tag, ("mood_glad",)):
        return _(
            "[{tag}] is gladder than the caption ({mood}); let both tell the same story.",
            tag=tag.text,
            mood=sad.word,
        )
    return None


def _energy_hint(context: Context, tag: Tag, message: str) -> Hint:
    return _tag_hint(context, "caption-lyrics-energy", message, tag, _plain(tag))


def _plain(tag: Tag) -> str:
    """The tag as a bare section, or nothing where it names none."""
    sections = pattern(word for words in load("tags")["sections"].values() for word in words)
    named = first(sections, tag.name)
    if named is None:
        return ""
    return f"[{tag.name}]" if tag.modifiers else f"[{named.word}]"


def _tag_hint(context: Context, rule: str, message: str, tag: Tag, better: str | None) -> Hint:
    """A hint on a tag; an empty ``better`` takes the tag's line away."""
    fix = None
    written = context.song.lyrics[tag.start : tag.end]
    if better == "" and context.song.lyrics[tag.end : tag.end + 1] == "\n":
        written += "\n"
    if better is not None and better != written:
        fix = replaced("lyrics", written, better, tag.start)
    return Hint(rule, "warning", message, ("lyrics", tag.start, tag.end), fix)


def _instrumental(caption: str) -> tuple[int, int] | None:
    """Where the caption says that nobody sings; ``instrumental break`` speaks of a part only."""
    part = pattern(load("words")["instrumental_part"])
    for match in listed("instrumental").finditer(caption):
        rest = caption[match.end() :].lstrip(" -")
        if not part.match(rest) and not re.search(r"(?:\bnot|\bnon)[\s-]$", caption[: match.start()]):
            return match.span()
    return None


def _voice(caption: str) -> tuple[int, int] | None:
    """Where the caption names a lead voice; choirs, samples and humming may be without words."""
    textures = [match.span() for match in listed("voices_as_texture").finditer(caption)]
    for kind in ("female", "male", "any", "soft", "strong"):
        for hit in find(listed("voices", kind), caption):
            if not any(start <= hit.start < end or start < hit.end <= end for start, end in textures):
                return hit.start, hit.end
    return None


def _sung_over(context: Context, wordless: tuple[int, int]) -> Iterator[Hint]:
    word = context.song.caption[slice(*wordless)]
    if context.sung:
        line = context.sung[0]
        message = _("The caption says “{words}”, but the lyrics have words to sing.", words=word)
        yield Hint("caption-lyrics-vocal", "warning", message, ("lyrics", line.start, line.end))
        return
    for tag in context.lyrics.tags:
        if _VOICE_TAGS.search(tag.text) or _any(tag, *(("voices", kind) for kind in load("words")["voices"])):
            message = _("The caption says “{words}”, but [{tag}] asks for a voice.", words=word, tag=tag.text)
            yield _tag_hint(context, "caption-lyrics-vocal", message, tag, _plain(tag))


def _other_voice(context: Context, section: Section, tag: Tag) -> str | None:
    caption = context.song.caption
    asked, told = _genders(tag.text), _genders(caption)
    if len(asked) == 1 and len(told) == 1 and asked != told:
        return _(
            "[{tag}] asks for another voice than the caption: {asked} instead of {told}.",
            tag=tag.text,
            asked=_(asked.pop()),
            told=_(told.pop()),
        )
    soft, strong = (first(listed("voices", kind), caption) for kind in ("soft", "strong"))
    if context.caption_evolves or bool(soft) == bool(strong) or first(listed("energy", "lively"), caption):
        return None
    if soft and _any(tag, ("voices", "strong")):
        return _(
            "[{tag}] is a strong voice, the caption asks for a soft one ({words}).",
            tag=tag.text,
            words=soft.word,
        )
    if strong and section.kind == "chorus" and _any(tag, ("voices", "soft")):
        return _(
            "[{tag}] is a soft voice, the caption asks for a strong one ({words}).",
            tag=tag.text,
            words=strong.word,
        )
    return None


def _genders(text: str) -> set[str]:
    genders = {gender for gender in _GENDERS if first(listed("voices", gender), text)}
    return set() if first(listed("voices", "both"), text) else genders
