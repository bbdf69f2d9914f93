"""The form: what it holds is the song; what is wrong is said under the knob."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from panel_helpers import said as words_of
from strategies import options, songs

from acestep_nb import InputError, RenderOptions, Song
from acestep_nb.knobs import knobs
from acestep_nb.panels.form import Fields


def form(owner: type = Song) -> Fields:
    return Fields(owner, lambda: None, threading.RLock())


@given(song=songs)
@settings(max_examples=40)
def test_the_form_gives_back_the_song_it_was_filled_with(song):
    fields = form()
    fields.value = song
    assert fields.value == song


@given(options=options)
@settings(max_examples=20)
def test_and_the_options(options):
    fields = form(RenderOptions)
    fields.value = options
    assert fields.value == options


def test_every_knob_takes_its_words_from_where_they_are_stated():
    for owner in (Song, RenderOptions):
        for name, view in form(owner).views.items():
            rule = knobs(owner)[name]
            if rule.choices:
                assert view.list.options == rule.options
            elif rule.max_length:
                assert (view.area.description, view.area.placeholder) == (rule.label, rule.help)
            elif rule.switch:
                assert view.tick.description == rule.label
                older = not view.tick.has_trait("tooltip")  # ipywidgets 7
                assert getattr(view.tick, "description_tooltip" if older else "tooltip") == rule.help
                assert rule.label not in words_of(view.box), "once is enough"
            elif rule.max_items:
                assert (view.line.description, view.line.placeholder) == (rule.label, rule.help)
            else:
                assert (view.slider.min, view.slider.max) == (rule.minimum, rule.maximum)
                assert rule.help in words_of(view.box) and rule.label in words_of(view.box)


def test_an_empty_form_is_a_blank_song():
    assert form().value == Song()


@pytest.mark.parametrize(
    ("name", "control", "value", "said"),
    [
        ("bpm", "field", 12, "30–300"),
        ("duration", "field", 0.0, "10–600"),
        ("duration", "field", 10_000.0, "10–600"),
        ("caption", "area", "x" * 513, "512"),
        ("lyrics", "area", "la " * 33_334, "4,096"),
    ],
)
def test_a_wrong_value_is_told_under_its_knob_and_kept(name, control, value, said):
    fields = form()
    view = fields.views[name]
    getattr(view, control).value = value
    assert said in view.error.value and view.value == value
    assert [other.name for other in fields.views.values() if other.error.value] == [name]
    with pytest.raises(InputError) as caught:
        _ = fields.value
    assert caught.value.field == name
    view.value = "words" if control == "area" else 60
    assert not view.error.value


def test_moving_a_knob_ends_auto_and_auto_ends_the_value():
    fields = form()
    tempo, key = fields.views["bpm"], fields.views["keyscale"]
    tempo.slider.value = 140
    key.list.value = "F# minor"
    assert (fields.value.bpm, fields.value.keyscale) == (140, "F# minor")
    assert tempo.field.value == 140 and not tempo.auto.value
    tempo.auto.value = True
    assert fields.value.bpm is None and fields.value.keyscale == "F# minor"
    tempo.auto.value = False
    assert fields.value.bpm == 140


def test_a_slider_is_dragged_in_steps_but_its_nearest_step_is_not_what_was_typed():
    duration = form().views["duration"]
    duration.field.value = 33.33
    duration.slider.value = 33.300000000000004  # what a browser tells back when the slider is set
    assert duration.value == duration.field.value == 33.33
    duration.slider.value = 75.00000000000001
    assert duration.value == duration.field.value == 75
    duration.field.value = 700
    duration.slider.value = 600.0000000000001
    assert duration.value == 700
    duration.auto.value = True
    duration.slider.value = 599.9
    assert (duration.value, duration.auto.value) == (599.9, False), "a drag by one step ends Auto"


def test_the_slider_stays_in_its_range_while_the_field_says_what_was_typed():
    duration = form().views["duration"]
    duration.field.value = 700
    assert (duration.slider.value, duration.value) == (600, 700)


def test_numbers_in_a_line_are_read_and_a_wrong_one_is_told():
    fields = form(RenderOptions)
    line = fields.views["timesteps"]
    line.line.value = "1, .5 0.25"
    assert fields.value.timesteps == (1, 0.5, 0.25) and not line.auto.value
    line.line.value = "1, half"
    assert "half" in line.error.value and line.value == [1.0, "half"]
    line.auto.value = True
    assert fields.value.timesteps is None


def test_ticking_a_box_turns_the_switch():
    fields = form(RenderOptions)
    fields.value = RenderOptions()
    fields.views["normalize"].tick.value = False
    assert fields.value == RenderOptions(normalize=False)


def test_what_a_person_types_is_never_markup():
    fields = form()
    fields.views["caption"].area.value = "<img src=x onerror=alert(1)>" * 40
    assert "<img" not in fields.views["caption"].error.value
    assert "&lt;img" in fields.views["caption"].error.value


def test_emoji_and_right_to_left_text_pass():
    song = Song(caption="😀 نغمة هادئة", lyrics="[Verse]\nשלום עולם")
    fields = form()
    fields.value = song
    assert fields.value == song


def test_a_value_that_no_control_can_hold_leaves_the_knob_alone():
    fields = form()
    fields.fill({"keyscale": "H dur", "bpm": "fast", "caption": 3, "vocal_language": ["en"], "other": 1})
    assert fields.value == Song(bpm=None)
