"""Editors for the words of a song: caption and lyrics with chips, tags, measures and hints that can be fixed."""

from acestep_nb.panels.editors.advice import Advice
from acestep_nb.panels.editors.helpers import Helpers
from acestep_nb.panels.editors.song import SongForm
from acestep_nb.panels.editors.words import CaptionKnob, LyricsKnob

__all__ = ["Advice", "CaptionKnob", "Helpers", "LyricsKnob", "SongForm"]
