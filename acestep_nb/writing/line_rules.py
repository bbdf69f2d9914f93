"""Rules on tags, blank lines and the lengths of lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from acestep_nb.locales import _
from acestep_nb.song import Song, knob
from acestep_nb.writing.context import Context, Measured
from acestep_nb.writing.hints import Fix, Hint, changed, replaced
from acestep_nb.writing.lyrics import Section, Tag

_MOST_MODIFIERS, _MOST_CUES, _MOST_WORDS = 2, 2, 5
_RAP = 2.0  # how much longer a rapped line may be
_SWING = 7  # the most that lines taking turns may differ
_SPOKEN_FOR = ("chorus", "verse", "pre-chorus", "post-chorus", "bridge")


def stacked_tags(context: Context) -> Iterator[Hint]:
    """``stacked-tags``: more than two modifiers, a sentence for a tag, or a heap of tags."""
    for section in context.lyrics.sections:
        for tag in section.tags:
            wordy = any(len(part.split()) > _MOST_WORDS for part in (tag.name, *tag.modifiers))
            if wordy or len(tag.modifiers) > _MOST_MODIFIERS:
                message = _(
                    "[{tag}] asks for too much at once and may be sung: keep one modifier.", tag=tag.text
                )
                yield Hint("stacked-tags", "warning", message, _span(tag), _unstacked(context, tag))
        before_words = _leading_cues(section)
        if len(before_words) > _MOST_CUES:
            message = _(
                "{count} tags on one section confuse the model: keep one beside its name.",
                count=len(before_words) + 1,
            )
            span = ("lyrics", before_words[1].start, before_words[-1].end)
            written = context.song.lyrics[before_words[0].end : before_words[-1].end]
            fix = replaced("lyrics", written, "", before_words[0].end)
            yield Hint("stacked-tags", "warning", message, span, fix)


def missing_blank_line(context: Context) -> Iterator[Hint]:
    """``missing-blank-line``: a section that begins right under the one before it."""
    for section in context.lyrics.sections[1:]:
        tag = section.tag
        if tag and not section.spaced:
            begin = max(0, tag.start - 2)
            before, written = context.song.lyrics[begin : tag.start], context.song.lyrics[tag.start : tag.end]
            fix = replaced("lyrics", before + written, f"{before.rstrip()}\n\n{written}", begin)
            message = _(
                "Put a blank line before [{tag}], so that its words do not flow into it.", tag=tag.text
            )
            yield Hint("missing-blank-line", "warning", message, _span(tag), fix)


def line_syllables(context: Context) -> Iterator[Hint]:
    """``line-syllables``: a line far from the 6-10 syllables (more in quick languages) of a breath."""
    if (pace := context.pace) is None:
        return
    for section, lines in context.measured:
        widened = _RAP if context.rapped(section) else 1.0
        low, high = pace["usual"][0], pace["usual"][1] * widened
        for item in lines:
            if low <= item.full and item.count <= high:
                continue
            far = item.full < pace["far"][0] or item.count >= pace["far"][1] * widened
            shout = item.line.loud or _refrain(item, lines)
            severity = "warning" if far and not (shout and item.full < low) else "info"
            message = _(
                "{count} syllables: {low}–{high} sit best on the beat.",
                count=item.count,
                low=low,
                high=f"{high:.0f}",
            )
            yield Hint("line-syllables", severity, message, ("lyrics", item.line.start, item.line.end))


def uneven_lines(context: Context) -> Iterator[Hint]:
    """``uneven-lines``: neighbours, or the same place in matching sections, of very different lengths."""
    if (pace := context.pace) is None:
        return
    step = pace["step"]
    told: set[int] = set()
    for section, lines in context.measured:
        if context.rapped(section):
            continue
        for hint in _neighbours(lines, step):
            told.add(hint.span[1])
            yield hint
    for hint in _matching(context, step):
        if hint.span[1] not in told:
            yield hint


def no_breath(context: Context) -> Iterator[Hint]:
    """``no-breath``: a section whose lines are, most of them, too long for one breath."""
    if (pace := context.pace) is None:
        return
    for section, lines in context.measured:
        limit = pace["breath"] * (_RAP if context.rapped(section) else 1.0)
        long = [item for item in lines if item.count >= limit]
        if len(long) >= 2 and len(long) * 2 >= len(lines):
            message = _("{count} lines here leave no place to breathe: break them in two.", count=len(long))
            yield Hint("no-breath", "warning", message, ("lyrics", long[0].line.start, long[-1].line.end))


def _span(tag: Tag) -> tuple[str, int, int]:
    return "lyrics", tag.start, tag.end


def _unstacked(context: Context, tag: Tag) -> Fix | None:
    """The tag with its first modifier; the others go to the caption, where style belongs."""
    if not tag.modifiers:
        return None
    written = context.song.lyrics[tag.start : tag.end]
    shorten = replaced("lyrics", written, f"[{tag.name} - {tag.modifiers[0]}]", tag.start)

    def fix(song: Song) -> Song:
        extra = [word for word in tag.modifiers[1:] if word.lower() not in song.caption.lower()]
        caption = ", ".join(part for part in (song.caption, *extra) if part)
        fits = len(caption) <= (knob(Song, "caption").max_length or len(caption))
        shortened = shorten(song)
        return changed(caption=caption)(shortened) if fits and shortened != song else shortened

    return fix


def _leading_cues(section: Section) -> tuple[Tag, ...]:
    """The cues that stand between the opening tag and the first line of words."""
    first = section.lines[0].start if section.lines else section.end
    return tuple(tag for tag in section.cues if tag.start < first)


def _refrain(item: Measured, lines: Sequence[Measured]) -> bool:
    """Whether the short line comes again in its section, as hooks do."""
    return sum(other.line.sung.lower() == item.line.sung.lower() for other in lines) > 1


def _neighbours(lines: Sequence[Measured], step: float) -> Iterator[Hint]:
    if _alternates([item.count for item in lines]):
        return
    for one, other in pairwise(lines):
        low, high = sorted((one.count, other.count))
        if high - low >= 6 * step and high >= 1.75 * low:
            message = _(
                "{one} syllables, then {other}: neighbours sing best when they are alike.",
                one=one.count,
                other=other.count,
            )
            yield Hint("uneven-lines", "warning", message, ("lyrics", one.line.start, other.line.end))


def _alternates(counts: Sequence[int]) -> bool:
    """Whether long and short lines take turns regularly, over four lines or more, and not too far apart."""
    every_other = all(abs(a - b) <= 1 for a, b in zip(counts, counts[2:]))
    return len(counts) >= 4 and every_other and max(counts) - min(counts) <= _SWING


def _matching(context: Context, step: float) -> Iterator[Hint]:
    firsts: dict[str, tuple[Measured, ...]] = {}
    for section, lines in context.measured:
        if section.kind not in _SPOKEN_FOR or context.rapped(section):
            continue
        model = firsts.setdefault(section.kind, lines)
        alike = len(lines) if len(lines) == len(model) else 1
        for place, (one, other) in enumerate(zip(model[:alike], lines)):
            gap = abs(one.count - other.count)
            if gap < 4 * step:
                continue
            severity = "warning" if gap >= 5 * step else "info"
            message = _(
                "Line {line} has {count} syllables, in the first {section} {before}: the same tune wants lines alike.",
                line=place + 1,
                count=other.count,
                section=section.kind,
                before=one.count,
            )
            yield Hint("uneven-lines", severity, message, ("lyrics", other.line.start, other.line.end))
