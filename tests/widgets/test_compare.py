"""Comparing takes: what the browser is told, what its keys do in the kernel."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from browser import chromium  # noqa: F401
from test_player import listening

from acestep_nb import Audio, Compare, History, InputError, Song
from acestep_nb.marks import Marks

RUN = """async ([source, state]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  for (const track of state.tracks) track.peaks = bytes(track.peaks);
  const [get, send, none] = [(name) => state[name], (message) => window.sent.push(message), () => {}];
  const { default: widget } = await import("data:text/javascript;base64," + source);
  window.sent = [];
  widget.render({ model: { get, send, on: none, off: none }, el: document.getElementById("widget") });
}"""


def press(widget: Compare, kind: str, number: object, **more: object) -> None:
    widget._handle_custom_msg({"kind": kind, "id": number, **more}, [])


@pytest.fixture
def project(tmp_path, make_take):
    project = History(tmp_path)
    for seed, bpm in ((7, 76), (8, 92)):
        project.add(replace(make_take(seed=seed, seconds=0.5), song=Song(caption="rain", bpm=bpm)))
    return project


@pytest.fixture
def widget(project):
    return Compare(reversed(project.takes))


def test_each_take_is_a_track(widget):
    first, second = widget.tracks
    assert (first["title"], second["title"]) == ("Take 1", "Take 2") and first["duration"] == 0.5
    assert len(first["peaks"]) == 400 and (first["starred"], first["rejected"]) == (False, False)
    assert first["gain"] != 0 and first["problem"] == ""


def test_labels_stand_before_numbers(make_take):
    takes = [make_take(seed=seed) for seed in (1, 2)]
    assert [track["title"] for track in Compare(takes, ["shift 1"]).tracks] == ["shift 1", "Take 2"]
    sound = Compare([Audio(np.zeros((2, 480)), 48_000)]).tracks[0]
    assert (sound["starred"], sound["gain"], sound["title"]) == (None, 0.0, "Take 1")


@pytest.mark.parametrize("count", [0, 9])
def test_one_to_eight_can_be_compared(make_take, count):
    with pytest.raises(InputError, match="1–8"):
        Compare([make_take()] * count)


def test_nothing_heavy_travels_until_it_is_asked_for(make_take):
    widget = Compare([make_take(seed=seed, seconds=2.0) for seed in range(8)])
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    assert len(json.dumps(state, default=lambda data: data.hex())) < 12_000
    sent = listening(widget)
    press(widget, "sound", 3, request="r")
    ((content, (data,)),) = sent
    assert content["kind"] == "sound" and content["request"] == "r" and data[:4] == b"fLaC"


def test_marks_are_written_and_shown(widget, project):
    press(widget, "starred", 1, on=True)
    press(widget, "rejected", 0, on=True)
    assert [(track["starred"], track["rejected"]) for track in widget.tracks] == [
        (False, True),
        (True, False),
    ]
    assert [entry.marks for entry in project.entries] == [Marks(starred=True), Marks(rejected=True)]
    press(widget, "rejected", 1, on=True)
    assert widget.tracks[1]["starred"] is False, "the star is gone"


def test_a_listener_hears_of_marks(project):
    heard = []
    widget = Compare(project.takes, on_mark=lambda take, marks: heard.append((take.seed, marks.starred)))
    press(widget, "starred", 0, on=True)
    assert heard == [(8, True)]


def test_the_difference_is_told(widget):
    press(widget, "differ", 1, other=0)
    assert widget.difference == "Take 1 → Take 2: Tempo 76 bpm → 92 bpm · Noise seed 7 → 8"
    press(widget, "differ", 0, other=0)
    assert widget.difference == "Take 1 → Take 1: nothing changed"
    plain = Compare([Audio(np.zeros((2, 480)), 48_000)] * 2)
    press(plain, "differ", 1, other=0)
    assert "Only takes" in plain.difference


def test_what_a_stranger_sends_is_ignored(widget):
    sent, before = listening(widget), widget.tracks
    for number in (9, -1, "0", None, True, [0]):
        press(widget, "starred", number, on=True)
        press(widget, "differ", number, other=0)
    press(widget, "differ", 0, other="1")
    press(widget, "dance", 0)
    assert (sent, widget.tracks, widget.difference) == ([], before, "")
    press(widget, "starred", 0, on="yes")
    assert "starred must be" in widget.difference and widget.tracks == before
    press(widget, "sound", 9, request="r")
    assert sent[0][0]["kind"] == "failed"
    widget.heard = 99
    assert widget.heard == 1


def test_a_damaged_take_is_shown_as_such(project):
    take = project.takes[0]
    (take.folder / "audio.flac").write_bytes(b"nothing")
    track = Compare(project.takes).tracks[0]
    assert "audio" in track["problem"] and track["gain"] == 0 and track["peaks"] == b""
    (take.folder / "marks.json").mkdir()
    widget = Compare(project.takes)
    press(widget, "starred", 0, on=True)
    assert "project" in widget.difference, "a disk that takes nothing is told, and nothing else happens"


def test_a_loud_take_is_not_better_for_being_loud(make_take):
    loud = make_take(seconds=1.0)
    quiet = replace(loud, audio=Audio(loud.audio.samples / 10, 48_000), latents=loud.latents)
    gains = [track["gain"] for track in Compare([loud, quiet]).tracks]
    assert gains[1] - gains[0] == pytest.approx(20, abs=0.05)


@pytest.mark.ui
def test_only_keys_that_do_something_are_named(chromium, project, make_take):  # noqa: F811
    from playwright.sync_api import sync_playwright

    silence = Audio(np.zeros((2, 480)), 48_000)
    expected = {
        "Keys: 1–2 switch · space plays · ← → move · s star · x reject · d what differs": project.takes,
        "Keys: 1–3 switch · space plays · ← → move · d what differs": [make_take(), make_take(), silence],
        "Keys: 1–2 switch · space plays · ← → move": [make_take(), silence],
        "Keys: space plays · ← → move": [silence],
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        for words, takes in expected.items():
            widget = Compare(takes)
            state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
            text = json.dumps(state, default=lambda data: base64.b64encode(data).decode())
            page.set_content('<div id="widget"></div>')
            page.evaluate(RUN, [base64.b64encode(widget._esm.encode()).decode(), json.loads(text)])
            assert page.locator(".ace-compare-keys").inner_text().replace("\xa0", " ") == words
            tells = "differs" in words
            assert page.get_by_role("button", name="What differs").count() == tells
            page.locator("#widget").focus()
            for key in "sxd":
                page.keyboard.press(key)
            kinds = [message["kind"] for message in page.evaluate("window.sent")]
            assert kinds == (["starred", "rejected"] if "star" in words else []) + ["differ"] * tells
        browser.close()
