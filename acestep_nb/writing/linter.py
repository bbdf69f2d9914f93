"""The linter: what the guide would say about a song before it is rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from acestep_nb.song import Song
from acestep_nb.writing import caption_rules, image_rules, line_rules, meta_rules, pair_rules
from acestep_nb.writing.context import Context
from acestep_nb.writing.hints import Hint

__all__ = ["RULES", "lint"]

Rule = Callable[[Context], Iterator[Hint]]

RULES: dict[str, Rule] = {
    "caption-lyrics-instrument": pair_rules.instrument,
    "caption-lyrics-energy": pair_rules.energy,
    "caption-lyrics-vocal": pair_rules.vocal,
    "style-conflict": caption_rules.style_conflict,
    "metas-in-caption": caption_rules.metas_in_caption,
    "stacked-tags": line_rules.stacked_tags,
    "missing-blank-line": line_rules.missing_blank_line,
    "line-syllables": line_rules.line_syllables,
    "uneven-lines": line_rules.uneven_lines,
    "vague-caption": caption_rules.vague_caption,
    "adjective-stacking": image_rules.adjective_stacking,
    "mixed-metaphors": image_rules.mixed_metaphors,
    "rhyme-chaos": image_rules.rhyme_chaos,
    "no-breath": line_rules.no_breath,
    "extreme-bpm": meta_rules.extreme_bpm,
    "rare-key": meta_rules.rare_key,
    "odd-time-signature": caption_rules.odd_time,
    "duration-lyrics": meta_rules.duration_lyrics,
    "metas-caption": meta_rules.metas_caption,
}


def lint(song: Song) -> list[Hint]:
    """All hints on the song, caption first, then lyrics and metas, each field from its start.

    A hint is advice, never a refusal: the song can be rendered as it is. Lengths of lines are judged in
    the languages whose syllables we count well (ten of them); everything else in any language.
    """
    context = Context(song)
    order = ("caption", "lyrics", "bpm", "keyscale", "timesignature", "duration")
    hints = [hint for rule in RULES.values() for hint in rule(context)]
    return sorted(hints, key=lambda hint: (order.index(hint.span[0]), hint.span[1], hint.span[2]))
