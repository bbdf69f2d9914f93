"""Panels: the engine as something to look at and click; everything they do, plain Python does too."""

from acestep_nb.panels.studio import Studio

__all__ = ["Studio"]
