"""Widgets: pieces of the browser that know words (takes, sound) and nothing of engines."""

from acestep_nb.widgets.alignment import AlignmentMap, ScoreStrip
from acestep_nb.widgets.code import CodeBlock
from acestep_nb.widgets.compare import Compare
from acestep_nb.widgets.player import Player
from acestep_nb.widgets.region import RegionPlayer

__all__ = ["AlignmentMap", "CodeBlock", "Compare", "Player", "RegionPlayer", "ScoreStrip"]
