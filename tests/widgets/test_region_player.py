"""The large waveform: its region goes both ways, its lines come from the scores, its sound when it is asked for."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import chromium  # noqa: F401

from acestep_nb import Audio, History, RegionPlayer, Song
from acestep_nb.panels import region
from acestep_nb.scores.keeping import keep
from acestep_nb.scores.values import Line, Scores, Signal

JS = Path(__file__).parents[2] / "js"
SIGNAL = Signal(-14.0, -1.0, 0.0, 0.0, 90.0, "A minor", {"bass": 1.0})
SCORES = Scores(
    "[Verse]\nla <b>\nlo",
    SIGNAL,
    lyrics_alignment=0.5,
    lines=(
        Line("[Verse]", 0.0, 0.5),
        Line("la <b>", 0.5, 2.0, 0.9),
        Line("lo", 2.0, 3.5, 0.2),
        Line("skipped", 3.5, 3.5, 0.0),
    ),
)


def heard(player: RegionPlayer) -> list:
    sent = []
    player.send = lambda content, buffers=None: sent.append((content, buffers))
    return sent


def test_a_take_is_shown_with_its_lines_and_bars(make_take, tmp_path):
    take = replace(make_take(seconds=4), song=Song(caption="x", bpm=120, timesignature="3"))
    kept = History(tmp_path).add(take)
    keep(kept.folder, SCORES)
    player = RegionPlayer(kept)
    assert player.sound["title"] == "Take 1" and player.sound["duration"] == 4 and player.sound["bar"] == 1.5
    assert [(line["text"], line["weak"]) for line in player.lines] == [
        ("[Verse]", False),
        ("la <b>", False),
        ("lo", True),
    ], "a line without time has no place"
    assert RegionPlayer(take, scores=SCORES).lines == player.lines


def test_the_tempo_that_is_heard_makes_bars_where_none_was_asked(make_take):
    take = make_take(seconds=4)
    assert RegionPlayer(take).sound["bar"] == 0.0
    assert RegionPlayer(take, scores=SCORES).sound["bar"] == pytest.approx(60 / 90 * 4)


def test_a_long_sound_has_a_finer_waveform_but_a_small_one():
    short, long = (
        RegionPlayer(Audio(np.ones((1, int(480 * seconds)), np.float32), 480)) for seconds in (3, 600)
    )
    assert len(short.sound["peaks"]) == 800 and len(long.sound["peaks"]) == 6000
    state = {name: value for name, value in long.get_state().items() if not name.startswith("_")}
    assert len(json.dumps(state, default=lambda data: data.hex())) < 14_000


def test_the_region_goes_both_ways_and_away_with_its_sound(make_take):
    player = RegionPlayer(make_take(seed=1, seconds=4))
    told = []
    player.observe(lambda change: told.append(change["new"]), "region")
    player.set_state({"region": [1.0, 2.5]})  # what the browser sends
    player.region = (3, 9)
    player.show(make_take(seed=2))
    assert told == [(1.0, 2.5), (3.0, 9.0), None]


def test_a_kept_take_that_is_shown_again_keeps_its_region(make_take, tmp_path):
    take = History(tmp_path).add(make_take(seconds=4))
    player = RegionPlayer(take)
    player.region = (1, 2)
    player.show(take, scores=SCORES)
    assert player.region == (1.0, 2.0) and len(player.lines) == 3


def test_sound_is_sent_when_it_is_asked_for(make_take, tmp_path):
    take = History(tmp_path).add(make_take(seconds=1))
    player = RegionPlayer(take)
    sent = heard(player)
    player._handle_custom_msg({"kind": "sound", "id": take.name, "request": "r"}, [])
    player._handle_custom_msg({"kind": "sound", "id": "another", "request": "r"}, [])
    assert sent[0][1] == [(take.folder / "audio.flac").read_bytes()] and sent[1][0]["kind"] == "failed"


def test_a_damaged_take_says_so(make_take, tmp_path):
    take = History(tmp_path).add(replace(make_take(), song=Song(caption="x", bpm=120)))
    (take.folder / "audio.flac").unlink()
    player = RegionPlayer(take)
    assert "audio.flac" in player.sound["problem"]
    assert player.sound["bar"] == 0, "what has no length has no bars"
    player.show(None)
    assert player.sound["id"] == "" and player.lines == []


SNAP = """
import { barAt, snapped } from "%s/src/snap.js";
import { clock, finely, hundredths } from "%s/src/dom.js";
const lines = [{start: 0.5, end: 2}, {start: 2, end: 3.5}, {start: 4, end: 6}];
const cases = [
    [[0.6, 3.2], "off"], [[0.6, 3.2], "line"], [[3.4, 3.5], "line"], [[0.6, 3.2], "bar"], [[0.9, 1.1], "bar"],
    [[5, 30], "bar"]];
console.log(JSON.stringify([
    cases.map(([ends, mode]) => snapped(ends, mode, lines, 1.5, 7)),
    [0, 1.49, 1.5, 6.9, 7, -1].map((second) => barAt(second, 1.5, 7)),
    [0, 1, 2, 3].map((number) => (number * 240) / 97).map((start) => [start, hundredths(start) / 100]).map(
        ([start, told]) => barAt(told, 240 / 97, 30)[0] === start),
    barAt(6.999, 1.5, 6),
    [clock(65.26), clock(-3.9), clock(600)],
    %s.map((seconds) => [finely(seconds), hundredths(seconds)])]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_ends_are_brought_to_lines_and_bars():
    times = [0, 3, 65.26, 81.4, 59.997, -3, -3.04, -0.5, 0.125, 1.005, 1.115, 2.675, 4.885, 600.05, 1.2345]
    script = SNAP % (JS.as_uri(), JS.as_uri(), times)
    told = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    ends, bars, rounded, last, clocks, fine = json.loads(told.stdout)
    assert bars == [[0, 1.5], [0, 1.5], [1.5, 3], [6, 7], [6, 7], [0, 1.5]], (
        "the last one ends with the sound"
    )
    assert ends == [[0.6, 3.2], [0.5, 3.5], [3.4, 3.5], [0, 3], [0.9, 1.1], [4.5, 7]]
    assert all(rounded), "a bar's start is rounded to hundredths on its way"
    assert last == [4.5, 6]
    assert clocks == ["1:05", "-0:03", "10:00"]
    assert [text for text, _ in fine[:8]] == [
        "0:00",
        "0:03",
        "1:05.26",
        "1:21.4",
        "1:00",
        "-0:03",
        "-0:03.04",
        "-0:00.5",
    ]
    assert [text for text, _ in fine] == [region.clock(seconds) for seconds in times], (
        "the field says the same"
    )
    lengths = [region._length(start, 0.0).split()[0] for start in times]
    assert lengths == [f"{-steps / 100:g}" for _, steps in fine]


RUN = """async ([source, state]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  state.sound.peaks = bytes(state.sound.peaks);
  const heard = {};
  const set = (name, value) => { state[name] = value; heard["change:" + name]?.(); };
  const on = (name, react) => { heard[name] = react; };
  window.model = { get: (name) => state[name], set, on, off: () => {}, save_changes: () => {} };
  const { default: widget } = await import("data:text/javascript;base64," + source);
  widget.render({ model, el: document.getElementById("widget") });
}"""


@pytest.mark.ui
def test_a_browser_tells_the_region_as_the_fields_do_and_marks_weak_lines(chromium, make_take):  # noqa: F811
    from playwright.sync_api import sync_playwright

    player = RegionPlayer(make_take(seconds=4), scores=SCORES)
    state = {name: value for name, value in player.get_state().items() if not name.startswith("_")}
    text = json.dumps(state, default=lambda data: base64.b64encode(data).decode())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 900, "height": 300})
        page.set_content(f'<div id="widget"></div><style>{player._css}</style>')
        page.evaluate(RUN, [base64.b64encode(player._esm.encode()).decode(), json.loads(text)])
        told = page.locator(".ace-region-told")
        page.wait_for_function("document.querySelector('.ace-wave').clientHeight > 50")
        assert told.is_hidden() and page.locator(".ace-sung-weak").all_inner_texts() == ["lo"]
        for start, end in ((1.234, 3.885), (0.125, 3.0), (-1.5, 2.675)):
            page.evaluate("ends => window.model.set('region', ends)", [start, end])
            length = region._length(start, end).split(";")[0]
            assert told.inner_text() == f"region {region.clock(start)}–{region.clock(end)} · {length}"
        page.get_by_role("button", name="la <b>").click()
        assert page.evaluate("window.model.get('region')") == [0.5, 2]
        box = page.locator(".ace-wave").bounding_box()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 40, steps=5)
        page.mouse.move(box["x"] + 0.9137 * box["width"], box["y"] + 40, steps=5)
        page.mouse.up()
        drawn = page.evaluate("window.model.get('region')")
        assert drawn == pytest.approx([2.4, 3.65], abs=0.1) and drawn == [round(end, 2) for end in drawn]
        browser.close()
