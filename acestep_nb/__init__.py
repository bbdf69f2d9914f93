"""acestep_nb: words in a notebook become a song.

``Song`` says what is asked, ``Engine`` renders it or reworks a sound, each result is a ``Take`` and a
``History`` keeps them; ``Studio`` is the panel over all of it. Networks and widgets are imported on first
use, so this import is quick and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from acestep_nb.errors import (
    AceStepError,
    Cancelled,
    CheckpointError,
    InputError,
    ProjectError,
    RenderError,
)
from acestep_nb.options import RenderOptions
from acestep_nb.song import Song

if TYPE_CHECKING:
    from acestep_nb.adapters.dataset import Dataset
    from acestep_nb.adapters.options import LoraOptions
    from acestep_nb.audio import Audio
    from acestep_nb.charts import (
        asked_and_measured,
        code_strip,
        difference,
        latent_map,
        noise_levels,
        note_map,
        spectrograms,
    )
    from acestep_nb.codes import mix_codes, repeat_codes, slice_codes
    from acestep_nb.curves import TrainingView, loss_curve
    from acestep_nb.edits import Edit, RepaintOptions
    from acestep_nb.engine import Engine
    from acestep_nb.history import History
    from acestep_nb.locales import language
    from acestep_nb.panels import Studio
    from acestep_nb.plans import Plan, PlanOptions
    from acestep_nb.plots import alignment_map, score_strip, spectrogram
    from acestep_nb.scores.values import Line, Scores
    from acestep_nb.seeds import Seeds
    from acestep_nb.sweeps import Sweep, sweep
    from acestep_nb.takes import Take
    from acestep_nb.widgets import AlignmentMap, Compare, Player, ScoreStrip

__version__ = "0.1.0"

__all__ = [
    "AceStepError",
    "AlignmentMap",
    "Audio",
    "Cancelled",
    "CheckpointError",
    "Compare",
    "Dataset",
    "Edit",
    "Engine",
    "History",
    "InputError",
    "Line",
    "LoraOptions",
    "Plan",
    "PlanOptions",
    "Player",
    "ProjectError",
    "RegionPlayer",
    "RenderError",
    "RenderOptions",
    "RepaintOptions",
    "ScoreStrip",
    "Scores",
    "Seeds",
    "Song",
    "Studio",
    "Sweep",
    "Take",
    "TrainingView",
    "__version__",
    "alignment_map",
    "asked_and_measured",
    "code_strip",
    "difference",
    "language",
    "latent_map",
    "loss_curve",
    "mix_codes",
    "noise_levels",
    "note_map",
    "repeat_codes",
    "score_strip",
    "slice_codes",
    "spectrogram",
    "spectrograms",
    "sweep",
]

_HOMES = {
    "AlignmentMap": "acestep_nb.widgets",
    "Audio": "acestep_nb.audio",
    "Compare": "acestep_nb.widgets",
    "Dataset": "acestep_nb.adapters.dataset",
    "Edit": "acestep_nb.edits",
    "Engine": "acestep_nb.engine",
    "History": "acestep_nb.history",
    "Line": "acestep_nb.scores.values",
    "LoraOptions": "acestep_nb.adapters.options",
    "Plan": "acestep_nb.plans",
    "PlanOptions": "acestep_nb.plans",
    "Player": "acestep_nb.widgets",
    "RegionPlayer": "acestep_nb.widgets",
    "RepaintOptions": "acestep_nb.edits",
    "ScoreStrip": "acestep_nb.widgets",
    "Scores": "acestep_nb.scores.values",
    "Seeds": "acestep_nb.seeds",
    "Studio": "acestep_nb.panels",
    "Sweep": "acestep_nb.sweeps",
    "Take": "acestep_nb.takes",
    "TrainingView": "acestep_nb.curves",
    "alignment_map": "acestep_nb.plots",
    "asked_and_measured": "acestep_nb.charts",
    "code_strip": "acestep_nb.charts",
    "difference": "acestep_nb.charts",
    "language": "acestep_nb.locales",
    "latent_map": "acestep_nb.charts",
    "loss_curve": "acestep_nb.curves",
    "mix_codes": "acestep_nb.codes",
    "noise_levels": "acestep_nb.charts",
    "note_map": "acestep_nb.charts",
    "repeat_codes": "acestep_nb.codes",
    "score_strip": "acestep_nb.plots",
    "slice_codes": "acestep_nb.codes",
    "spectrogram": "acestep_nb.plots",
    "spectrograms": "acestep_nb.charts",
    "sweep": "acestep_nb.sweeps",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
