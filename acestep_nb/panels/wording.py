"""Errors in the words of a panel: the field at fault is called what the form calls it."""

from __future__ import annotations

from acestep_nb.adapters.options import LoraOptions
from acestep_nb.edits import RepaintOptions
from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knobs
from acestep_nb.locales import _, later
from acestep_nb.options import RenderOptions
from acestep_nb.panels.tasks import EditOptions
from acestep_nb.plans import PlanOptions
from acestep_nb.song import Song

_NAMES = {
    "source": later("Source"),
    "reference_audio": later("Reference"),
    "region": later("region"),
    "tracks": later("Tracks"),
    "codes": later("Codes"),
    "seeds": later("Noise seeds"),
}
for _owner in (LoraOptions, Song, RenderOptions, PlanOptions, RepaintOptions, EditOptions):
    _NAMES |= {name: rule.label for name, rule in knobs(_owner).items()}


def error_in_words(error: BaseException | None) -> str:
    """An error as one line: our own errors speak for themselves, others with their kind; none is no words."""
    if error is None:
        return ""
    if not isinstance(error, AceStepError):
        return f"{type(error).__name__}: {error}"
    field = error.field or ""
    return error.told(_(_NAMES.get(field, field)))
