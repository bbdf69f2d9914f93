"""Panels: the engine as something to look at and click; everything they do, plain Python does too."""

from acestep_nb.panels.lora import Lora
from acestep_nb.panels.models import Models
from acestep_nb.panels.panel import Panel
from acestep_nb.panels.song_editor import SongEditor
from acestep_nb.panels.studio import Complete, Cover, Extract, Lego, Repaint, Studio, Text2Music

__all__ = [
    "Complete",
    "Cover",
    "Extract",
    "Lego",
    "Lora",
    "Models",
    "Panel",
    "Repaint",
    "SongEditor",
    "Studio",
    "Text2Music",
]
