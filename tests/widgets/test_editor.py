"""The editor's two halves: what travels between kernel and browser, counted as each of them counts."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from acestep_nb.widgets.editor import TextEditor, characters, units
from acestep_nb.widgets.hints import HintList

letters = st.text(st.sampled_from("aé月😀👩‍🚀\u202eש\n"), max_size=20)


def editor(**traits) -> tuple[TextEditor, list]:
    heard: list = []
    made = TextEditor(
        lambda word, at: heard.append((word, at)), lambda key: heard.append(key), limit=100, **traits
    )
    return made, heard


@given(text=letters, data=st.data())
def test_places_are_told_as_browsers_count_and_back(text, data):
    place = data.draw(st.integers(0, len(text)))
    assert units(text, place) == sum(2 if ord(char) > 0xFFFF else 1 for char in text[:place])
    assert characters(text, units(text, place)) == place


def test_a_place_in_the_middle_of_an_emoji_is_the_one_before_it():
    assert characters("a😀b", 2) == 1 and characters("a😀b", 99) == 3 and characters("abc", -1) == 0
    assert units("a\ud800b", 2) == 2


def test_hints_travel_with_their_places():
    made, _heard = editor(value="😀 rain")
    made.advise([{"key": "k", "severity": "info", "message": "m", "start": 2, "end": 6, "fix": ""}])
    first = made.advice
    assert (first["hints"][0]["start"], first["hints"][0]["end"]) == (3, 7)
    made.advise([])
    made.advise([])
    assert made.advice["revision"] == first["revision"] + 2, "the browser draws again what is the same"


def test_presses_come_with_the_cursor_in_characters():
    made, heard = editor(value="😀😀 la")
    made._handle_custom_msg({"kind": "pick", "word": "Verse", "at": 4}, [])
    made._handle_custom_msg({"kind": "fix", "key": "k"}, [])
    assert heard == [("Verse", 2), "k"]


def test_what_a_stranger_sends_to_an_editor_is_ignored():
    made, heard = editor()
    listed = HintList(heard.append)
    for message in ({}, {"kind": "pick"}, {"kind": "pick", "word": 3, "at": "x"}, {"kind": "fix", "key": 1}):
        made._handle_custom_msg(message, [])
        listed._handle_custom_msg(message, [])
    assert heard == []


def test_the_cursor_is_put_by_a_message():
    made, _heard = editor(value="😀 rain")
    sent = []
    made.send = lambda content, buffers=None: sent.append(content)
    made.select(2)
    made.select(0, 6)
    assert sent == [{"kind": "select", "start": 3, "end": 3}, {"kind": "select", "start": 0, "end": 7}]


def test_a_long_text_travels_light():
    made, _heard = editor(value="la la la\n" * 455, measured=True)
    made.advise([], [{"count": 3, "score": None, "weak": False}] * 456)
    state = {name: made.get_state()[name] for name in ("value", "advice", "palette", "words")}
    assert len(json.dumps(state)) < 40_000
