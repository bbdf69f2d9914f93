"""Where a sound to rework comes from: a take, a file or samples in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acestep_nb.audio import Audio
from acestep_nb.codes import SAMPLE_RATE
from acestep_nb.edits import Source
from acestep_nb.errors import InputError, ProjectError
from acestep_nb.files import given_path
from acestep_nb.locales import _
from acestep_nb.song import Song
from acestep_nb.takes import Take

Sounding = Audio | Take | str | Path
"""What a verb takes as a source: samples, a take, or the path of a sound file."""


@dataclass(frozen=True)
class Opened:
    """A source that was read: its ``sound``, how a take tells of it, and what the take that it is knows.

    ``parent`` is the name of the kept take that the source is, ``song`` the song of a take.
    """

    sound: Audio
    record: Source
    parent: str | None = None
    song: Song | None = None


def opened(source: Sounding, field: str = "source") -> Opened:
    """The source with its samples as they are; ``InputError`` when there are none."""
    try:
        if isinstance(source, Audio):
            return Opened(source, Source.of(source))
        if isinstance(source, Take):
            sound = source.audio
            return Opened(sound, Source.of(sound, source.name), source.name or None, source.song)
        if isinstance(source, (str, Path)) and str(source).strip():
            path = given_path(source, field)
            sound = Audio.load(path)
            return Opened(sound, Source.of(sound, path.name))
    except (InputError, ProjectError) as error:
        message = _("the {field} cannot be read: {reason}", field=field, reason=error.args[0])
        raise InputError(
            message, field=field, value=error.value, allowed=error.allowed, remedy=error.remedy
        ) from error
    raise InputError(
        field=field,
        value=source,
        allowed="an Audio, a take, or the path of a sound file",
        remedy='Give for example Audio.load("song.flac"), a take, or "song.flac".',
    )


def joined(*sounds: Audio) -> Audio:
    """The sounds one behind the other; all stereo at 48 kHz."""
    return Audio(np.concatenate([sound.samples for sound in sounds], axis=1), SAMPLE_RATE)
