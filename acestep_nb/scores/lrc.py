"""Timed lyrics as text: LRC, enhanced LRC, SRT and WebVTT out; LRC in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from acestep_nb.errors import InputError
from acestep_nb.scores.lyrics import rows_of_lines
from acestep_nb.scores.values import Alignment, Line

_STAMP = re.compile(r"\[(\d+):(\d{1,2}(?:[.:]\d{1,3})?)\]")
_WORD_STAMP = re.compile(r"<\d+:\d{1,2}(?:[.:]\d{1,3})?>")
MERGED = 2.0
"""Seconds from the start of a subtitle in which further lines join it."""
_LAST, _SHORTEST = 5.0, 3.0  # seconds that a last subtitle and one without a length are shown


def to_lrc(lines: Sequence[Line], ends: bool = False) -> str:
    """`[mm:ss.xx]text` for each line, in their order; with `ends` a second stamp tells where it ends."""
    return "\n".join(
        f"[{_stamp(line.start)}]" + (f"[{_stamp(line.end)}]" if ends else "") + line.text for line in lines
    )


def to_enhanced_lrc(found: Alignment) -> str:
    """LRC with a `<mm:ss.xx>` before each piece that is sung, for karaoke."""
    told = []
    for row in rows_of_lines(found.texts):
        pieces = ""
        for text, (start, _) in zip(found.texts[row], found.times[row]):
            words = text.replace("\n", " ").lstrip()
            gap = " " if words != text else ""
            pieces += f"{gap}<{_stamp(float(start))}>{words}" if words else gap
        told.append(f"[{_stamp(float(found.times[row][0, 0]))}]{pieces.strip()}")
    return "\n".join(told)


def from_lrc(text: str, duration: float | None = None) -> tuple[Line, ...]:
    """The lines of an LRC file, sorted by start; `InputError` where nothing in it has a time.

    A line with two stamps starts at the first and ends at the second when that is later, else it is sung twice.
    Without an end a line ends where the next one starts; the last one at `duration`, or 5 s after its start.
    Word stamps and header tags such as `[ar:…]` are left out.
    """
    found = []
    for row in text.splitlines():
        stamps = list(_STAMP.finditer(row))
        words = _WORD_STAMP.sub("", _STAMP.sub("", row)).strip()
        if not stamps or not words:
            continue
        times = [_seconds(stamp) for stamp in stamps]
        if len(times) == 2 and times[1] > times[0]:
            found.append(Line(words, *times))
        else:
            found += [Line(words, time, time) for time in times]
    if not found and text.strip():
        raise InputError(
            "these lyrics have no times",
            field="lrc",
            value=text,
            allowed="lines such as [00:12.50]words",
            remedy="Put a time before each line.",
        )
    found.sort(key=lambda line: line.start)
    nexts = [*(line.start for line in found[1:]), None]
    return tuple(
        line if line.end > line.start else replace(line, end=_end(line.start, after, duration))
        for line, after in zip(found, nexts)
    )


def subtitles(lines: Sequence[Line], duration: float | None = None) -> tuple[Line, ...]:
    """Lines made ready to be shown: those that start within 2 s share one subtitle, which lasts to the next.

    The last one lasts to `duration` (else 5 s); one without a length is shown for 3 s.
    """
    blocks: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.start):
        if blocks and line.start - blocks[-1][0].start < MERGED:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    starts = [block[0].start for block in blocks]
    return tuple(
        Line("\n".join(line.text for line in block), start, _end(start, after, duration))
        for block, start, after in zip(blocks, starts, [*starts[1:], None])
    )


def to_vtt(lines: Sequence[Line], duration: float | None = None) -> str:
    """WebVTT with numbered cues, as a browser's player shows them."""
    return "WEBVTT\n\n" + _cues(lines, duration, ".")


def to_srt(lines: Sequence[Line], duration: float | None = None) -> str:
    """SubRip subtitles."""
    return _cues(lines, duration, ",")


def _cues(lines: Sequence[Line], duration: float | None, point: str) -> str:
    return "\n".join(
        f"{i}\n{_clock(cue.start, point)} --> {_clock(cue.end, point)}\n{cue.text}\n"
        for i, cue in enumerate(subtitles(lines, duration), start=1)
    )


def _end(start: float, after: float | None, duration: float | None) -> float:
    end = after if after is not None else duration if duration is not None else start + _LAST
    return end if end > start else start + _SHORTEST


def _stamp(seconds: float) -> str:
    # rounded first, so that 59.999 s is a minute and not 00:60.00
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes):02}:{rest:05.2f}"


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"


def _seconds(stamp: re.Match[str]) -> float:
    return int(stamp[1]) * 60 + float(stamp[2].replace(":", "."))
