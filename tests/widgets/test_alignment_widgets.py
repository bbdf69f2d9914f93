"""The alignment map and the score strip: what the kernel sends, and what a browser makes of it."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from browser import chromium  # noqa: F401

from acestep_nb import AlignmentMap, InputError, Line, Scores, ScoreStrip
from acestep_nb.scores.lyrics import aligned, lines
from acestep_nb.scores.values import Signal

SIGNAL = Signal(-14.0, -1.0, 0.0, 0.1, 92.0, "A minor", {"bass": 1.0})
TEXTS = ("[Verse]", "\n", "la", " lu", "\n", "<b>夜</b>", " 🎵 of many words", " that go on")
PAGE = """
<body data-jp-theme-light="{light}" style="background: {ground}; margin: 0; padding: 8px">
<div id="widget"></div>
<style>{css}</style>
"""
RUN = """async ([source, state]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  for (const line of state.lines ?? []) line.energy = bytes(line.energy);
  const heard = {};
  window.model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; heard["change:" + name]?.forEach((react) => react()); },
    on: (name, react) => (heard[name] ??= []).push(react),
    off: (name, react) => (heard[name] = heard[name].filter((other) => other !== react)),
    save_changes: () => { window.saved = { ...state }; },
    left: () => Object.values(heard).flat().length,
  };
  const { default: widget } = await import("data:text/javascript;base64," + source);
  window.stop = widget.render({ model: window.model, el: document.getElementById("widget") });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


@pytest.fixture
def scores():
    """Two heads that follow the tokens, but for the second line, which is not sung."""
    attention = np.full((2, len(TEXTS), 80), 0.01, dtype=np.float32)
    for token in (0, 1, 5, 6, 7):
        attention[:, token, 10 * token : 10 * token + 10] = 0.9
    found, measured = aligned(TEXTS, attention, 6.4)
    return Scores("", SIGNAL, measured.score, lines=lines(found), alignment=found)


def test_each_line_brings_its_own_part_of_the_map(scores):
    drawn = AlignmentMap(scores).lines
    assert [line["text"] for line in drawn] == [line.text for line in scores.lines]
    assert [line["weak"] for line in drawn] == [False, True, False]
    assert [line["rows"] for line in drawn] == [2, 3, 3]
    for line, row in zip(drawn, (slice(0, 2), slice(2, 5), slice(5, 8)), strict=True):
        sent = np.frombuffer(line["energy"], np.uint8).reshape(line["rows"], -1) / 255
        assert np.allclose(sent, scores.alignment.energy[row], atol=1 / 255)
        assert len(line["path"]) == 2 * line["rows"]
        assert line["path"] == sorted(line["path"]) and np.all(np.array(line["path"]) > 0)


def test_a_long_song_is_sent_small():
    texts = tuple(token for _ in range(60) for token in (*["la "] * 40, "\n"))
    attention = np.random.default_rng(0).uniform(0, 1, (1, len(texts), 3000)).astype(np.float32)
    found, measured = aligned(texts, attention, 240.0)
    drawn = AlignmentMap(Scores("", SIGNAL, measured.score, lines=lines(found), alignment=found)).lines
    assert len(drawn) == 60 and sum(len(line["energy"]) for line in drawn) <= 60 * 12 * 240
    peak = np.frombuffer(drawn[0]["energy"], np.uint8).max() / 255
    assert peak == pytest.approx(found.energy[:41].max(), abs=1 / 255), "peaks are not averaged away"


def test_a_pressed_line_tells_its_region(scores):
    shown, told = AlignmentMap(scores), []
    shown.observe(lambda change: told.append(change["new"]), "region")
    line = scores.lines[2]
    shown.chosen_line = 2
    shown.chosen_line = None
    assert told == [(line.start, line.end), None]
    for stranger in (-1, 3, 10**6):
        shown.set_state({"chosen_line": stranger})
        assert shown.chosen_line is None and shown.region is None


def test_a_line_without_time_has_no_region(scores):
    silent = Scores(
        "", SIGNAL, 0.1, lines=(Line("a", 1.0, 1.0, 0.0), *scores.lines[1:]), alignment=scores.alignment
    )
    shown = AlignmentMap(silent)
    shown.chosen_line = 0
    assert shown.chosen_line == 0 and shown.region is None


def test_scores_without_an_alignment_say_why(scores):
    shown = AlignmentMap(scores)
    shown.chosen_line = 1
    shown.show(Scores("", SIGNAL, notes=("no words", "no codes")))
    assert (shown.lines, shown.note, shown.chosen_line, shown.region) == (
        [],
        "no words\nno codes",
        None,
        None,
    )
    assert AlignmentMap().note == ""


def test_the_strip_marks_the_best(scores):
    strip = ScoreStrip({"1": scores, "2": Scores("", SIGNAL, 0.9), "3": Scores("", SIGNAL)})
    assert [bar["best"] for bar in strip.bars] == [False, True, False]
    assert [bar["share"] for bar in strip.bars] == [scores.lyrics_alignment, 0.9, None]
    strip.show(
        {"1": Scores("", SIGNAL, lyrics_heard=-0.5), "2": Scores("", SIGNAL, lyrics_heard=0.25)},
        "lyrics_heard",
    )
    assert [round(bar["share"], 3) for bar in strip.bars] == [0.0, 0.5]
    with pytest.raises(InputError, match="quality") as caught:
        strip.show({"1": scores}, by="quality")
    assert caught.value.remedy


@pytest.fixture
def page(chromium):  # noqa: F811
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 900, "height": 400})
        browser.close()


def show(page, widget, dark=False):
    """The widget in a bare page, its model as a browser has it."""
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    text = json.dumps(state, default=lambda data: base64.b64encode(data).decode())
    ground = "#111418" if dark else "#ffffff"
    page.set_content(PAGE.format(light="false" if dark else "true", ground=ground, css=widget._css))
    source = base64.b64encode(widget._esm.encode("utf-8")).decode()
    page.evaluate(RUN, [source, json.loads(text)])


def pixels(page, place):
    """The picture of a part of the page as greys `[row, column]`."""
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(page.locator(place).screenshot())).convert("L"), dtype=float)


@pytest.mark.ui
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_draws_the_map_and_presses_a_line(page, scores, dark):
    show(page, AlignmentMap(scores), dark)
    rows = page.get_by_role("button")
    assert rows.count() == 3 and page.locator("b", has_text="夜").count() == 0, "words are never HTML"
    assert rows.nth(2).get_attribute("aria-label").startswith("<b>夜</b> 🎵 of many words that go on: 0:0")
    assert "score 0.00" in rows.nth(1).get_attribute("aria-label")
    assert rows.nth(1).locator("b").inner_text() == "weak"
    picture = pixels(page, ".ace-map-line:nth-child(3) .ace-map-picture")
    ground, columns = np.median(picture), picture.shape[1]
    inked = np.abs(picture - ground) > 40
    sung = inked[:, int(columns * 0.63) :].mean()
    assert sung > 0.2 > 3 * inked[:, : int(columns * 0.6)].mean(), "energy where the tokens are sung"
    rows.nth(2).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("saved.chosen_line") == 2 and rows.nth(2).get_attribute("aria-pressed") == "true"
    rows.nth(2).click()
    assert page.evaluate("saved.chosen_line") is None
    page.evaluate("stop()")
    assert page.evaluate("model.left()") == 0


@pytest.mark.ui
def test_a_narrow_page_shows_all_of_it(page, scores):
    page.set_viewport_size({"width": 360, "height": 500})
    for widget in (
        AlignmentMap(scores),
        ScoreStrip({"0001_a-long-name_s1": scores, "2": Scores("", SIGNAL, 0.9)}),
    ):
        show(page, widget)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for part in page.locator("button").all():
            assert part.bounding_box()["width"] > 300


@pytest.mark.ui
def test_a_browser_draws_the_strip(page, scores):
    show(page, ScoreStrip({"first": scores, "other": Scores("", SIGNAL, 0.9), "last": Scores("", SIGNAL)}))
    labels = [take.get_attribute("aria-label") for take in page.get_by_role("button").all()]
    assert labels[1:] == ["other: 0.900, best", "last: not scored"]
    page.get_by_role("button", name="other").click()
    assert page.evaluate("saved.chosen") == "other"
    assert page.get_by_role("button", name="other").get_attribute("aria-pressed") == "true"
