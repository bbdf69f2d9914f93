"""Rates of sound, latents and codes, each derived from the others; and codes as values.

Codes are a tuple of whole numbers, five per second: tuples are sliced with ``codes[a:b]`` and joined with
``+`` already; here are the ways that know about seconds and about what a code means.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Sequence

from acestep_nb.errors import InputError
from acestep_nb.knobs import Knob, checked_number
from acestep_nb.locales import _

SAMPLE_RATE = 48_000
"""Audio samples per second."""
LATENT_RATE = 25
"""Latent frames per second."""
CODE_RATE = 5
"""Codes per second."""
LATENT_CHANNELS = 64
"""Numbers in one latent frame."""
SAMPLES_PER_LATENT = SAMPLE_RATE // LATENT_RATE
LATENTS_PER_CODE = LATENT_RATE // CODE_RATE
MIN_LATENT_FRAMES = 128
"""The renderer never sees fewer frames (5.12 s); shorter requests are padded, then cut."""
CODE_LEVELS = (8, 8, 8, 5, 5, 5)
"""Steps of each digit of a code, the quickest-turning first; a checkpoint may have others."""
CODEBOOK = math.prod(CODE_LEVELS)
"""How many codes there are: 0–63999 are valid."""
AUDIO_CODE = re.compile(r"<\|audio_code_(\d+)\|>")
"""How a code is written in text, and the form of the planner's tokens for codes."""

_SHORTEST = 0.1
_REPEATED = Knob("Seconds", "How long the repeated codes last.", unit="s", minimum=1 / CODE_RATE, maximum=600)
_SHARE = Knob("Share", "How much of the second song.", minimum=0, maximum=1)


def latent_frames(seconds: float) -> int:
    """Number of whole latent frames in a duration, which is first rounded to 0.1 s.

    The order of rounding (tenths, then samples, then frames) is the reference's, so that lengths agree
    with it frame by frame; no minimum of ``MIN_LATENT_FRAMES`` is applied here.
    """
    samples = int(max(_SHORTEST, round(seconds, 1)) * SAMPLE_RATE)
    return samples // SAMPLES_PER_LATENT


def code_count(seconds: float) -> int:
    """Number of whole codes in a duration."""
    return int(seconds * CODE_RATE)


def checked_codes(codes: Iterable[object], size: int = CODEBOOK) -> tuple[int, ...]:
    """The codes as plain ints, or ``InputError`` naming the first that is not one of 0 to ``size`` - 1."""
    if isinstance(codes, str) or not isinstance(codes, Iterable):
        raise _refused(codes, size)
    given = tuple(codes)
    for code in given:
        whole = isinstance(code, numbers.Integral) and not isinstance(code, bool)
        if not whole or not 0 <= int(code) < size:  # type: ignore[call-overload]
            raise _refused(code, size)
    return tuple(int(code) for code in given)  # type: ignore[call-overload]


def parse_codes(text: str, size: int = CODEBOOK) -> tuple[int, ...]:
    """The codes of a text made of nothing but ``<|audio_code_N|>``, spaces and commas, else ``InputError``."""
    if rest := re.sub(r"[\s,]+", " ", AUDIO_CODE.sub(" ", text)).strip():
        raise _refused(rest, size)
    return checked_codes(map(int, AUDIO_CODE.findall(text)), size)


def codes_in(text: str, size: int = CODEBOOK) -> tuple[int, ...]:
    """The codes anywhere in a text, the rest ignored; one too large counts as the last of the codebook."""
    return tuple(min(int(digits), size - 1) for digits in AUDIO_CODE.findall(text))


def format_codes(codes: Iterable[int]) -> str:
    """The codes as the planner reads them: ``<|audio_code_7|><|audio_code_42|>``."""
    return "".join(f"<|audio_code_{code}|>" for code in checked_codes(codes))


def slice_codes(codes: Sequence[int], start: float, end: float) -> tuple[int, ...]:
    """The codes from ``start`` to ``end`` seconds; ``InputError`` when no code lies between."""
    given = checked_codes(codes)
    allowed = f"a start before its end, within 0–{len(given) / CODE_RATE:g} s"
    if not all(isinstance(edge, numbers.Real) and math.isfinite(edge) for edge in (start, end)):
        raise InputError(field="region", value=(start, end), allowed=allowed)
    cut = given[max(0, code_count(start)) : max(0, code_count(end))]
    if not cut:
        raise InputError(field="region", value=f"{start:g}–{end:g} s", allowed=allowed)
    return cut


def repeat_codes(codes: Sequence[int], seconds: float) -> tuple[int, ...]:
    """The codes over and over, up to so many seconds (0.2–600)."""
    given = checked_codes(codes)
    if not given:
        raise InputError(field="codes", value="none", allowed="at least one code")
    wanted = code_count(float(checked_number("seconds", seconds, _REPEATED) or 0.0))
    return (given * -(-wanted // len(given)))[:wanted]


def mix_codes(
    first: Sequence[int], second: Sequence[int], share: float = 0.5, levels: Sequence[int] = CODE_LEVELS
) -> tuple[int, ...]:
    """The codes between two songs: each digit of a code is ``share`` of the way from first to second.

    A code is a point on a grid of ``levels`` (finite scalar quantisation); the mix is the grid point
    nearest to the one on the straight line between the two. It is as long as the shorter of them.
    """
    share = float(checked_number("share", share, _SHARE) or 0.0)
    size = math.prod(levels)
    pairs = zip(checked_codes(first, size), checked_codes(second, size), strict=False)
    return tuple(_between(a, b, share, levels) for a, b in pairs)


def _between(first: int, second: int, share: float, levels: Sequence[int]) -> int:
    code, weight = 0, 1
    for level in levels:
        a, b = first // weight % level, second // weight % level
        code += weight * math.floor(a + (b - a) * share + 0.5)
        weight *= level
    return code


def _refused(value: object, size: int) -> InputError:
    return InputError(
        field="codes",
        value=value,
        allowed=_("whole numbers 0–{last}, written <|audio_code_N|> in text", last=size - 1),
        remedy=_("Take the codes from a plan, or from engine.codes(audio)."),
    )
