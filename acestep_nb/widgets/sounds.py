"""What the browser is sent of a sound: its outline at once, the sound itself when somebody wants to hear it."""

from __future__ import annotations

import anywidget
import numpy as np

from acestep_nb.audio import Audio
from acestep_nb.errors import AceStepError
from acestep_nb.locales import _
from acestep_nb.takes import Take

BARS = 400  # per waveform, one byte each: the browser draws about 100 to 300


def waveform(take: Take | Audio) -> bytes:
    """The loudest sample of each of ``BARS`` parts of the sound, 0–255."""
    peaks = take.peaks() if isinstance(take, Audio) else take.peaks
    loudest = peaks.reshape(BARS, -1).max(axis=1)
    scaled = np.clip(np.rint(loudest * 255), 0, 255).astype(np.uint8)
    return bytes(scaled)


def send_sound(widget: anywidget.AnyWidget, take: Take | Audio | None, request: object) -> None:
    """Answer the browser's request with the sound as FLAC, or with what went wrong, in words."""
    try:
        if take is None:
            raise AceStepError(_("this take is no longer in the list"))
        data = take.flac_bytes()
    except Exception as error:  # the browser waits for an answer, whatever went wrong
        text = str(error) if isinstance(error, AceStepError) else f"{type(error).__name__}: {error}"
        widget.send({"kind": "failed", "request": request, "text": _("No sound: {reason}", reason=text)})
    else:
        widget.send({"kind": "sound", "request": request, "mime": "audio/flac"}, [data])
