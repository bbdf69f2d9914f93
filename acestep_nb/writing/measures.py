"""What stands beside each line of the lyrics: its syllables."""

from __future__ import annotations

from acestep_nb.song import Song
from acestep_nb.writing.context import Context
from acestep_nb.writing.syllables import syllables

__all__ = ["line_syllables"]


def line_syllables(song: Song) -> tuple[int | None, ...]:
    """Syllables of each line of the lyrics as written, ``None`` for lines without words.

    These are the numbers that the linter judges: in the song's language, or the one that its words tell.
    """
    context = Context(song)
    counts: dict[int, int] = {
        line.start: syllables(line.text, context.language) for line in context.lyrics.lines if line.sung
    }
    counts |= {item.line.start: item.count for _, lines in context.measured for item in lines}
    told: list[int | None] = []
    start = 0
    for raw in song.lyrics.split("\n"):
        end = start + len(raw)
        told.append(next((counts[at] for at in range(start, end) if at in counts), None))
        start = end + 1
    return tuple(told)
