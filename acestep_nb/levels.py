"""Fair comparison: what brings sounds to one loudness, so that the louder one does not win for that alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

from acestep_nb.audio import Audio
from acestep_nb.takes import Take

TARGET = -14.0
"""LUFS that sounds are brought to; less where the peaks of one of them allow no more."""


def loudness_and_peak(sound: Take | Audio) -> tuple[float | None, float | None]:
    """Integrated loudness in LUFS and peak in dBFS; None for silence. Read from a take's scores where it has them."""
    scores = sound.scores if isinstance(sound, Take) else None
    if scores is not None:
        return scores.signal.loudness, scores.signal.peak
    from acestep_nb.scores.signal import loudness

    audio = sound.audio if isinstance(sound, Take) else sound
    return loudness(audio), None if audio.peak == 0 else 20 * math.log10(audio.peak)


def matched_gains(sounds: Iterable[Take | Audio], target: float = TARGET) -> tuple[float, ...]:
    """The gain in dB for each sound, after which all are equally loud and none clips.

    Silence and what is too short to be measured (under 0.4 s) stay as they are.
    """
    measured = [loudness_and_peak(sound) for sound in sounds]
    rooms = [loudness - peak for loudness, peak in measured if loudness is not None and peak is not None]
    level = min([target, *rooms])
    return tuple(0.0 if loudness is None else round(level - loudness, 2) for loudness, _peak in measured)
