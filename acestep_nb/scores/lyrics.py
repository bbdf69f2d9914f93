"""Lyrics as the renderer reads them, cut back into lines with the times at which they are sung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acestep_nb.scores import alignment
from acestep_nb.scores.alignment import Measure
from acestep_nb.scores.values import Alignment, Line


def token_texts(text: str, spans: Sequence[tuple[int, int]], start: int) -> tuple[str, ...]:
    """The piece of `text` that each token stands for; together they are the text from `start` to its end.

    `spans` are the tokenizer's offsets in characters. What lies between two tokens (letters that a tokenizer
    drops) belongs to the later one, what follows the last token to that one. Of tokens that share a character,
    as byte tokens do, the last one has it.
    """
    firsts = [first for first, _ in spans]
    ends = [min(end, after) for (_, end), after in zip(spans, [*firsts[1:], len(text)])]
    if ends:
        ends[-1] = len(text)
    return tuple(text[a:b] for a, b in zip([start, *ends], ends))


def rows_of_lines(texts: Sequence[str]) -> list[slice]:
    """The tokens of each line, its line end included; lines of nothing but space are left out."""
    ends = [i + 1 for i, text in enumerate(texts) if "\n" in text]
    if not ends or ends[-1] < len(texts):
        ends.append(len(texts))
    rows = [slice(a, b) for a, b in zip([0, *ends], ends)]
    return [row for row in rows if "".join(texts[row]).strip()]


def aligned(texts: Sequence[str], attention: Any, seconds: float, **how: Any) -> tuple[Alignment, Measure]:
    """How tokens and music belong together, and how well.

    `attention` `[head, token, frame]` are the probabilities of the alignment heads, `seconds` the length of the
    music; `how` goes to `alignment.sharpen`.
    """
    energy = alignment.energy(attention)
    found = alignment.measure(energy, alignment.sung_tokens(texts))
    steps = alignment.warp(-alignment.sharpen(attention, **how))
    times = alignment.token_times(steps, len(texts), seconds / attention.shape[2])
    return Alignment(tuple(texts), energy, found.path, times), found


def lines(found: Alignment) -> tuple[Line, ...]:
    """The lines of the lyrics with start, end and score; a line of tags only has no score.

    Start and end are those of the line's first and last token, in seconds. The score is the score of the whole
    (coverage² · monotonicity² · confidence) over the line's tokens, along their part of the same path.
    """
    sung = alignment.sung_tokens(found.texts)
    told = []
    for row in rows_of_lines(found.texts):
        times = found.times[row]
        scored = any(text.strip() and kept for text, kept in zip(found.texts[row], sung[row]))
        score = alignment.line_score(found.energy, sung, found.path, row) if scored else None
        start, end = round(float(times[0, 0]), 3), round(float(times[-1, 1]), 3)
        # letters behind a line end that a tokenizer drops belong to it, as they do to the last token
        text = " ".join("".join(found.texts[row]).strip().split("\n"))
        told.append(Line(text, start, end, score))
    return tuple(told)
