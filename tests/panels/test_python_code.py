"""A panel's state as Python: it can be run, and means what the panel shows."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import options, songs

import acestep_nb
from acestep_nb import RenderOptions, Song
from acestep_nb.panels.python import python


def run(code: str) -> SimpleNamespace:
    """What the script asks the engine for."""
    asked = SimpleNamespace()

    class Engine:
        @classmethod
        def load(cls, name):
            asked.engine = name
            return cls()

        def generate(self, song, seeds, options=None):
            asked.song, asked.seeds, asked.options = song, seeds, options or RenderOptions()
            return ["take"]

    stage = SimpleNamespace(**{**vars(acestep_nb), "Engine": Engine, "Player": list})
    known, sys.modules["acestep_nb"] = sys.modules["acestep_nb"], stage
    try:
        exec(compile(code, "panel", "exec"), {})
    finally:
        sys.modules["acestep_nb"] = known
    return asked


@given(song=songs, options=options, seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
@example(song=Song(caption='"""', lyrics='a\\\n"""\n'), options=RenderOptions(), seeds=[0])
@example(song=Song(lyrics='ends with "\n[Verse]\\n "'), options=RenderOptions(), seeds=[1])
@example(song=Song(caption="\x00\u2028", lyrics="שלום\n😀\u202e\n"), options=RenderOptions(), seeds=[1])
def test_the_code_asks_for_what_the_panel_shows(song, options, seeds):
    asked = run(python("nano", song, seeds, options))
    assert (asked.song, asked.options, asked.seeds, asked.engine) == (song, options, seeds, "nano")


def test_it_reads_well():
    code = python("nano", Song(caption="rain", lyrics="[Verse]\nla la", bpm=76), [7, 8], RenderOptions())
    assert code == (
        "from acestep_nb import Engine, Player, Song\n"
        "\n"
        "song = Song(\n"
        '    caption="rain",\n'
        '    lyrics="""[Verse]\nla la""",\n'
        "    bpm=76,\n"
        ")\n"
        'engine = Engine.load("nano")\n'
        "takes = engine.generate(song, seeds=[7, 8])\n"
        "Player(takes)"
    )


@pytest.mark.parametrize("name", ["nano", "C:\\models\\turbo", 'a "b"'])
def test_any_name_of_a_checkpoint(name):
    assert run(python(name, Song(caption="x"), [1], RenderOptions(shift=2.0))).engine == name
