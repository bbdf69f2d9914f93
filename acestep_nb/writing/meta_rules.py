"""Rules on the metas: values that models have heard little of, and metas that contradict the words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from acestep_nb.locales import _
from acestep_nb.song import Song, knob
from acestep_nb.writing.context import Context
from acestep_nb.writing.data import load
from acestep_nb.writing.hints import Hint, changed
from acestep_nb.writing.keys import accidentals, easier_key, metas_in
from acestep_nb.writing.terms import Found, find, first, listed, pattern

_USUAL_BPM, _BEARABLE_BPM = (60, 180), (50, 200)
_RARE_SIGNS, _FARTHEST_SIGNS = 5, 6
_LONG_SONG = 300.0  # seconds; the guide calls 30-60 s and 2-4 min stable
_SPARSE = (0.2, 0.3)  # syllables a second over a long song: a warning below the first
_SPARSE_FROM = 90.0  # seconds
_PLAYED = ("instrumental", "solo", "interlude", "breakdown", "drop", "theme", "build")


def extreme_bpm(context: Context) -> Iterator[Hint]:
    """``extreme-bpm``: a tempo outside 60-180, with half or double of it as the fix."""
    bpm = context.song.bpm
    if bpm is None or _USUAL_BPM[0] <= bpm <= _USUAL_BPM[1]:
        return
    severity = "info" if _BEARABLE_BPM[0] <= bpm <= _BEARABLE_BPM[1] else "warning"
    better = bpm * 2 if bpm < _USUAL_BPM[0] else (bpm + 1) // 2
    message = _(
        "{bpm} bpm is rare in training: 60–180 is kept to best. {better} has the same pulse.",
        bpm=bpm,
        better=better,
    )
    yield Hint("extreme-bpm", severity, message, ("bpm", 0, 0), changed(bpm=better))


def rare_key(context: Context) -> Iterator[Hint]:
    """``rare-key``: a key of five or more sharps or flats."""
    key = context.song.keyscale
    if key is None or (signs := accidentals(key)) < _RARE_SIGNS:
        return
    severity = "warning" if signs >= _FARTHEST_SIGNS else "info"
    better = easier_key(key)
    message = _(
        "{key} has {signs} sharps or flats and may be ignored or shifted; {better} is safer.",
        key=key,
        signs=signs,
        better=better,
    )
    yield Hint("rare-key", severity, message, ("keyscale", 0, 0), changed(keyscale=better))


def metas_caption(context: Context) -> Iterator[Hint]:
    """``metas-caption``: the caption says slow and the tempo 160, a waltz and the meter 4/4, and so on."""
    yield from _tempo(context)
    yield from _meter(context)
    yield from _mode(context)
    for meta in metas_in(context.song.caption):
        value = getattr(context.song, meta.field)
        if value is not None and meta.value is not None and value != meta.value:
            written = context.song.caption[meta.start : meta.end].strip()
            message = _(
                "The caption says “{words}”, but {field} is {value}.",
                words=written,
                field=meta.field,
                value=value,
            )
            fix = changed(**{meta.field: meta.value})
            yield Hint("metas-caption", "warning", message, ("caption", meta.start, meta.end), fix)


def duration_lyrics(context: Context) -> Iterator[Hint]:
    """``duration-lyrics``: more words than the seconds can hold, or far too few for them."""
    seconds, pace = context.song.duration, context.pace
    if seconds is None or pace is None or not context.measured:
        return
    rapped = any(context.rapped(section) for section, _ in context.measured)
    most = pace["rate"][1] * (1.7 if rapped else 1.0)
    total = sum(item.count for _, lines in context.measured for item in lines)
    needed = _rounded(total / (pace["rate"][0] * (1.7 if rapped else 1.0)))
    span = ("duration", 0, 0)
    fix = changed(duration=min(needed, knob(Song, "duration").maximum or needed))
    if total / seconds > most:
        message = _(
            "{count} syllables do not fit into {seconds} s: give about {needed} s, or sing less.",
            count=total,
            seconds=f"{seconds:g}",
            needed=f"{needed:g}",
        )
        yield Hint("duration-lyrics", "warning", message, span, fix)
    elif seconds >= _SPARSE_FROM and total / seconds < _SPARSE[1] and not _room_to_play(context):
        severity = "warning" if total / seconds < _SPARSE[0] else "info"
        message = _(
            "{count} syllables are few for {seconds} s: write more, or name what is played between.",
            count=total,
            seconds=f"{seconds:g}",
        )
        yield Hint("duration-lyrics", severity, message, span, fix)
    elif seconds > _LONG_SONG:
        message = _(
            "{seconds} s is long: structure may wander; 2–4 minutes are kept to best.", seconds=f"{seconds:g}"
        )
        yield Hint("duration-lyrics", "info", message, span, changed(duration=240.0))


_MODE = re.compile(r"\b(?P<mode>major|minor)[\s-]key\b|\btonalidad (?P<modo>mayor|menor)\b", re.IGNORECASE)


def _mode(context: Context) -> Iterator[Hint]:
    key, said = context.song.keyscale, _MODE.search(context.song.caption)
    if key is None or said is None:
        return
    wanted = {"mayor": "major", "menor": "minor"}.get(word := said[said.lastgroup or 0].lower(), word)
    if wanted != key.split()[1]:
        message = _("“{words}” and {value} contradict each other.", words=said.group(), value=key)
        fix = changed(keyscale=f"{key.split()[0]} {wanted}")
        yield Hint("metas-caption", "warning", message, ("caption", *said.span()), fix)


def _rounded(seconds: float) -> float:
    return max(10.0, 5.0 * round(seconds / 5))


def _room_to_play(context: Context) -> bool:
    """Whether two or more sections are played rather than sung."""
    return sum(not section.lines and section.kind in _PLAYED for section in context.lyrics.sections) >= 2


def _tempo(context: Context) -> Iterator[Hint]:
    bpm, caption = context.song.bpm, context.song.caption
    if bpm is None or context.caption_evolves:
        return
    said = {name: _tempo_word(name, caption) for name in load("words")["tempo"]}
    slow, fast = said["slow"], said["fast"]
    checks = (
        (slow if not fast else None, bpm > 110, _halved(bpm, 110, 72)),
        (said["ballad"] if not fast else None, bpm > 140, _halved(bpm, 110, 72)),
        (fast if not slow else None, bpm < 100, _doubled(bpm, 120, 150)),
        (said["mid"], not 75 <= bpm <= 140, 100),
        (said["club"] if not slow else None, bpm < 90, _doubled(bpm, 110, 124)),
        (said["lively"] if not slow and not said["ballad"] else None, bpm < 70, _doubled(bpm, 100, 120)),
        (said["relaxed"] if not fast and not said["club"] else None, bpm > 150, _halved(bpm, 110, 84)),
    )
    for word, wrong, better in checks:
        if word and wrong:
            message = _("“{words}” and {value} contradict each other.", words=word.word, value=f"{bpm} bpm")
            span = ("caption", word.start, word.end)
            yield Hint("metas-caption", "warning", message, span, changed(bpm=better))
            return


def _tempo_word(name: str, caption: str) -> Found | None:
    """The word of this tempo, unless it speaks of a part of the music: ``slow attack``, ``fast hi-hats``."""
    part = pattern(load("words")["tempo_parts"])
    for hit in find(listed("tempo", name), caption):
        if not part.match(caption[hit.end :].lstrip(" -")):
            return hit
    return None


def _halved(bpm: int, most: int, other: int) -> int:
    return half if 50 <= (half := (bpm + 1) // 2) <= most else other


def _doubled(bpm: int, least: int, other: int) -> int:
    return bpm * 2 if least <= bpm * 2 <= _USUAL_BPM[1] else other


def _meter(context: Context) -> Iterator[Hint]:
    meter, caption = context.song.timesignature, context.song.caption
    if meter is None or context.caption_evolves:
        return
    fits = {"3": ("3", "6"), "6": ("6",), "2 or 4": ("2", "4")}
    for name, allowed in fits.items():
        if (word := first(listed("meters", name), caption)) and meter not in allowed:
            better = "4" if name == "2 or 4" else name
            shown = {"2": "2/4", "3": "3/4", "4": "4/4", "6": "6/8"}
            message = _(
                "“{words}” wants {better}, but the time is {meter}.",
                words=word.word,
                better=shown[better],
                meter=shown[meter],
            )
            fix = changed(timesignature=better)
            yield Hint("metas-caption", "warning", message, ("caption", word.start, word.end), fix)
