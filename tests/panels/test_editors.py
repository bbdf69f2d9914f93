"""The editors of a song: chips, tags, hints and their fixes, dice, the planner's help, and the way back."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from strategies import songs

from acestep_nb import AceStepError, InputError, Song
from acestep_nb.panels.editors import Advice, Helpers, SongForm
from acestep_nb.panels.editors.fixing import told, usable
from acestep_nb.panels.editors.words import lines_of
from acestep_nb.panels.song_editor import SongEditor
from acestep_nb.scores.values import Line, Scores, Signal
from acestep_nb.writing import dice, lint

LYRICS = "[Verse]\nthe rain is on the window now\n[Chorus]\nand I am waiting for you here"
FAULTY = Song(caption="soft piano ballad, 72 bpm", lyrics=LYRICS, keyscale="Gb major")
SIGNAL = Signal(-14.0, -1.0, 0.0, 0.0, 76.0, "A minor", {})


def form(song: Song = FAULTY) -> SongForm:
    made = SongForm(lambda: None, threading.RLock())
    made.value = song
    return made


def press(editor, **message) -> None:
    """What the browser sends when a word or a fix is pressed."""
    editor.area._handle_custom_msg(message, [])


def shown(editor) -> list[str]:
    return [hint["key"] for hint in editor.area.advice["hints"]]


@given(song=songs)
@settings(max_examples=25)
def test_the_form_holds_any_song_and_shows_every_hint_once(song):
    made = form(song)
    advice = Advice(made)
    assert made.value == song
    told_of = [hint["message"] for editor in made.editors for hint in editor.area.advice["hints"]]
    told_of += [hint["message"] for hint in advice.list.hints]
    assert sorted(told_of) == sorted(hint.message for hint in lint(song))


def test_every_fix_is_one_press_and_can_be_taken_back():
    caption, lyrics = form().editors
    assert (shown(caption), shown(lyrics)) == (["metas-in-caption 1"], ["missing-blank-line 1"])
    for place, key in ((0, "metas-in-caption 1"), (1, "missing-blank-line 1")):
        made = form()
        press(made.editors[place], kind="fix", key=key)
        assert key not in shown(made.editors[place]) and made.value != FAULTY
        made.undo()
        assert made.value == FAULTY and key in shown(made.editors[place])


def test_a_fix_that_moves_a_tempo_sets_the_tempo_and_says_so():
    made = form()
    (hint,) = made.editors[0].area.advice["hints"]
    assert hint["fix"] == "Tempo → 72 bpm"
    press(made.editors[0], kind="fix", key=hint["key"])
    assert (made.value.bpm, made.value.caption) == (72, "soft piano ballad")


def test_a_fix_of_an_older_text_changes_nothing():
    made = form()
    made.views["caption"].area.value = "soft piano ballad"
    press(made.editors[0], kind="fix", key="metas-in-caption 1")
    assert made.value.caption == "soft piano ballad" and made.last is None


def test_fixes_leave_a_field_alone_that_is_wrong():
    made = form()
    made.views["duration"].field.value = 5.0
    press(made.editors[0], kind="fix", key="metas-in-caption 1")
    assert made.raw["duration"] == 5.0 and made.raw["bpm"] == 72
    made.undo()
    assert made.raw["duration"] == 5.0 and made.raw["bpm"] is None


def test_an_unusable_text_is_told_and_the_rest_is_still_judged():
    made = form()
    made.views["caption"].area.value = "x" * 513
    caption, lyrics = made.editors
    assert "512" in caption.error.value and caption.area.invalid and not lyrics.area.invalid
    assert shown(lyrics) == ["missing-blank-line 1"] and usable(made.raw).caption == ""
    with pytest.raises(InputError, match="caption"):
        _ = made.value


def test_steps_are_taken_back_one_by_one_until_something_is_typed():
    made = form()
    press(made.editors[0], kind="fix", key="metas-in-caption 1")
    made.fix_all()
    assert made.value.lyrics != LYRICS
    made.undo()
    assert made.value.lyrics == LYRICS and made.value.bpm == 72 and made.last is not None
    made.views["caption"].area.value += ", strings"
    assert made.last is None
    made.undo()
    assert made.value.caption == "soft piano ballad, strings", "what was typed stays"


def test_listeners_hear_once_when_a_whole_song_is_filled_in():
    made = form()
    heard = []
    made.listen(lambda: heard.append(1))
    made.value = dice(3)
    assert heard == [1]
    made.views["caption"].area.value = "typed"
    assert heard == [1, 1]


def test_chips_put_words_in_and_take_them_out():
    made = form(Song(caption="piano ballad"))
    caption = made.editors[0]
    assert caption.area.advice["chosen"] == ["piano"]
    press(caption, kind="pick", word="warm", at=0)
    assert made.value.caption == "piano ballad, warm" and caption.area.advice["chosen"] == ["piano", "warm"]
    press(caption, kind="pick", word="piano", at=0)
    assert made.value.caption == "ballad, warm"


def test_tags_come_to_the_cursor():
    made = form(Song(lyrics="[Verse]\n😀 la la"))
    lyrics = made.editors[1]
    sent = []
    lyrics.area.send = lambda content, buffers=None: sent.append(content)
    press(lyrics, kind="pick", word="Chorus", at=len("[Verse]\n😀 la la") + 1)
    assert made.value.lyrics == "[Verse]\n😀 la la\n\n[Chorus]\n"
    assert sent == [{"kind": "select", "start": 27, "end": 27}]
    press(lyrics, kind="pick", word="whispered", at=27)
    assert made.value.lyrics.endswith("[Chorus - whispered]\n")


def test_syllables_follow_the_language():
    made = form(Song(lyrics="[Verse]\n生"))
    counts = [line["count"] for line in made.editors[1].area.advice["lines"]]
    made.views["vocal_language"].list.value = "ja"
    assert counts == [None, 1]
    assert [line["count"] for line in made.editors[1].area.advice["lines"]] != counts


def test_scores_stand_beside_the_lines_they_were_made_for():
    lines = (Line("[Verse]", 0, 1), Line("la", 1, 2, 0.8), Line("la", 2, 3, 0.2), Line("gone", 3, 4, 0.5))
    editor = SongEditor(Song(lyrics="[Verse]\nla\nnew\n la "), scores=Scores("", SIGNAL, lines=lines))
    beside = editor.form.lyrics.area.advice["lines"]
    assert [line["score"] for line in beside] == [None, 0.8, None, 0.2]
    assert [line["weak"] for line in beside] == [False, False, False, True]
    editor.scores = None
    assert {line["score"] for line in editor.form.lyrics.area.advice["lines"]} == {None}
    assert lines_of(["la"], None) == [None]


def test_the_summary_counts_and_fixes_what_is_safe():
    made = form()
    advice = Advice(made)
    assert ">3 warnings<" in advice.count.value and advice.fix_all.description == "Fix 2"
    advice.fix_all.click()
    assert (made.value.bpm, made.value.keyscale) == (72, "Gb major") and "\n\n[Chorus]" in made.value.lyrics
    assert ">1 warning<" in advice.count.value and advice.fix_all.layout.display == "none"
    (hint,) = advice.list.hints
    assert hint["fix"] == "Key → F major"
    advice.list._handle_custom_msg({"kind": "fix", "key": hint["key"]}, [])
    assert made.value.keyscale == "F major" and advice.list.hints == [] and advice.count.value == ""
    advice.list._handle_custom_msg({"kind": "fix", "key": hint["key"]}, [])
    for _ in range(2):
        made.undo()
    assert made.value == FAULTY


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"lyrics": "x"}, "Fix"),
        ({"caption": "x", "timesignature": "3"}, "Time → 3/4"),
        ({"bpm": None}, "Tempo → auto"),
        ({"duration": 62.5, "vocal_language": "ja"}, "Duration → 62.5 s, Language → ja · 日本語"),
    ],
)
def test_a_fix_says_what_it_will_do(change, words):
    assert told(change) == words


def test_the_dice_throw_a_whole_song_that_can_be_thrown_again():
    made = form()
    made.views["bpm"].field.value = 12
    helpers = Helpers(made)
    assert helpers.undo.layout.display == "none"
    helpers.dice.click()
    seed = int(helpers.message.value.partition("dice ")[2].partition("<")[0])
    assert made.value == dice(seed)
    helpers.undo.click()
    assert made.raw["bpm"] == 12 and made.raw["caption"] == FAULTY.caption
    assert helpers.undo.layout.display == "none" and helpers.message.value == ""


class Planner:
    """Stands where the session does: keeps what is asked and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list = []

    def think(self, words, question, then) -> None:
        self.asked.append((words, question, then))

    def answer(self, engine) -> None:
        _words, question, then = self.asked.pop()
        then(question(engine, on_progress=None, cancel=None))


def test_an_idea_becomes_a_song():
    made, planner = form(), Planner()
    helpers = Helpers(made, planner.think)
    assert helpers.idea.layout.display == "none"
    helpers.simple.value = True
    assert helpers.idea.layout.display is None and helpers.language.label == "any language"
    helpers.query.value, helpers.instrumental.value = "rain at night", True
    helpers.language.value = "ja"
    helpers.write.click()
    asked = []

    def create_song(query, **how):
        asked.append((query, how["instrumental"], how["vocal_language"]))
        return dice(5)

    planner.answer(SimpleNamespace(create_song=create_song))
    assert asked == [("rain at night", True, "ja")] and made.value == dice(5)
    assert "written by the planner, seed" in helpers.message.value
    helpers.undo.click()
    assert made.value == FAULTY


def test_the_planner_gets_the_song_as_it_was_when_it_was_asked():
    made, planner = form(), Planner()
    helpers = Helpers(made, planner.think)
    helpers.format.click()
    made.views["caption"].area.value = "typed meanwhile"
    asked = []

    def format_song(song, **how):
        asked.append(song)
        return dice(6)

    planner.answer(SimpleNamespace(format_song=format_song))
    assert asked == [FAULTY] and made.value == dice(6)
    made.undo()
    assert made.value.caption == "typed meanwhile"


def test_without_a_planner_the_reason_is_told():
    reason = ["no planner <b>is</b> loaded"]
    helpers = Helpers(form(), Planner().think, lambda: reason[0])
    assert helpers.format.disabled and helpers.write.disabled
    assert helpers.format.tooltip == reason[0] and "&lt;b&gt;" in helpers.reason.value
    reason[0] = ""
    helpers.refresh()
    assert not helpers.format.disabled and helpers.reason.value == ""


def test_what_cannot_be_asked_is_told():
    def busy(*_asked):
        raise AceStepError("the planner is at work")

    made = form()
    helpers = Helpers(made, busy)
    helpers.write.click()
    assert "the planner is at work" in helpers.message.value
    made.views["bpm"].field.value = 12
    helpers.format.click()
    assert "30–300" in helpers.message.value and "30–300" in made.views["bpm"].error.value


def test_a_song_can_be_written_without_an_engine():
    editor = SongEditor()
    assert editor.song == Song() and editor.hints == () and editor.scores is None
    editor.song = FAULTY
    assert {hint.id for hint in editor.hints} == {"metas-in-caption", "missing-blank-line", "rare-key"}
    assert editor.helpers.format not in editor.helpers.box.children


def test_presses_and_typing_from_many_threads_end_in_one_song():
    made = form(Song())
    words = ["warm", "piano", "strings", "tender", "choir", "groovy"]
    threads = [
        threading.Thread(target=press, args=[made.editors[0]], kwargs={"kind": "pick", "word": word, "at": 0})
        for word in words
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made.value.caption.split(", ")) == sorted(words)
