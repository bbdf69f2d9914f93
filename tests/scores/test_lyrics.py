"""From tokens to lines, and from lines to timed text and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb.errors import InputError, ProjectError
from acestep_nb.scores import alignment
from acestep_nb.scores.lrc import from_lrc, subtitles, to_enhanced_lrc, to_lrc, to_srt, to_vtt
from acestep_nb.scores.lyrics import aligned, lines, rows_of_lines, token_texts
from acestep_nb.scores.values import Alignment, Line, Scores, Signal

SIGNAL = Signal(-14.0, -1.0, 0.0, 0.1, 92.0, "A minor", {"bass": 1.0})
TEXTS = ("[Verse]", "\n", "la", " lu", "\n", "na")
LINES = (Line("one", 0.5, 3.0), Line("two", 4.0, 8.125), Line("three", 59.999, 62.0))


def stepped(texts, frames_each=5):
    """Attention of two heads that follow the tokens one after another."""
    tokens = len(texts)
    found = np.full((2, tokens, tokens * frames_each), 0.01, dtype=np.float32)
    for token in range(tokens):
        found[:, token, token * frames_each : (token + 1) * frames_each] = 0.9
    return found


def test_the_texts_of_tokens_are_the_lyrics_cut_up():
    assert token_texts("##la lu", [(2, 4), (4, 7)], 2) == ("la", " lu")
    assert token_texts("##walk on!", [(2, 4), (7, 9)], 2) == ("wa", "lk on!")
    assert token_texts("月a", [(0, 1), (0, 1), (0, 1), (1, 2)], 0) == ("", "", "月", "a")
    assert token_texts("##", [], 2) == ()


@given(st.text(max_size=30), st.lists(st.integers(1, 4), max_size=30))
def test_the_texts_of_tokens_lose_nothing(text, lengths):
    ends = [min(end, len(text)) for end in np.cumsum(lengths, dtype=int).tolist()]
    spans = [(a, b) for a, b in zip([0, *ends], ends) if a < b]
    assert "".join(token_texts(text, spans, 0)) == (text if spans else "")


def test_lines_end_where_the_text_does():
    assert [TEXTS[row] for row in rows_of_lines(TEXTS)] == [TEXTS[:2], TEXTS[2:5], TEXTS[5:]]
    assert rows_of_lines(["\n", " \n", "a\nb"]) == [slice(2, 3)]
    assert rows_of_lines([]) == []


def test_a_followed_line_scores_and_a_missing_one_does_not():
    attention = stepped(TEXTS)
    attention[:, 2:5] = 0.01
    found, measured = aligned(TEXTS, attention, 3.0)
    tag, missing, last = lines(found)
    assert tag.score is None and missing.score == 0.0 and last.score > 0.2
    assert measured.coverage == pytest.approx(2 / 5)


def test_lines_have_the_times_of_their_tokens():
    found, measured = aligned(TEXTS, stepped(TEXTS), 3.0)
    assert [(line.text, line.start, line.end) for line in lines(found)] == [
        ("[Verse]", 0.0, 0.9), ("la lu", 1.0, 2.4), ("na", 2.5, 2.9),
    ]  # fmt: skip
    assert measured.score > 0.8 and (np.diff(measured.path, axis=0).max(1) == 1).all()


def test_a_line_stays_one_line_whatever_a_tokenizer_drops_behind_it():
    texts = ("la", "\nxyz")
    found, _ = aligned(texts, stepped(texts), 1.0)
    assert to_lrc(lines(found)) == "[00:00.00]la xyz"


def test_tags_are_not_sung():
    sung = alignment.sung_tokens(["[Verse", " 1", "]\n", "la", "[x]", "lu", "["])
    assert sung.tolist() == [False, False, False, True, False, True, False]


def test_flat_attention_says_nothing():
    energy = alignment.energy(np.full((1, 3, 9), 0.2, dtype=np.float32))
    found = alignment.measure(energy, np.ones(3, dtype=bool))
    assert (found.coverage, found.monotonicity, found.confidence, found.score) == (0.0, 1.0, 0.0, 0.0)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_the_path_is_the_cheapest_one_but_for_ties_which_go_as_in_the_original(tokens, frames, seed, ties):
    random = np.random.default_rng(seed)
    cost = random.integers(-2, 3, (tokens, frames)) if ties else random.standard_normal((tokens, frames))
    path = alignment.warp(cost.astype(np.float64))
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [tokens - 1, frames - 1]
    steps = np.diff(path, axis=0)
    assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(1) >= 1).all()
    best = np.full((tokens + 1, frames + 1), np.inf)
    best[0, 0] = 0
    moves = {}
    for i in range(tokens):
        for j in range(frames):
            both, token, frame = best[i, j], best[i, j + 1], best[i + 1, j]
            a, b = (1, 1) if both < min(token, frame) else (1, 0) if token < min(both, frame) else (0, 1)
            best[i + 1, j + 1] = cost[i, j] + best[i + 1 - a, j + 1 - b]
            moves[i, j] = (a, b)
    assert all(moves[tuple(at)] == tuple(step) for at, step in zip(path[1:].tolist(), steps.tolist()))
    assert cost[path[:, 0], path[:, 1]].sum() == pytest.approx(best[-1, -1])


def test_lrc_and_back():
    text = to_lrc(LINES)
    assert text == "[00:00.50]one\n[00:04.00]two\n[01:00.00]three"
    read = from_lrc(text, duration=70)
    assert [(line.text, line.start, line.end) for line in read] == [
        ("one", 0.5, 4.0), ("two", 4.0, 60.0), ("three", 60.0, 70.0),
    ]  # fmt: skip
    assert [(line.start, line.end) for line in from_lrc(to_lrc(LINES, ends=True))] == [
        (0.5, 3.0), (4.0, 8.12), (60.0, 62.0),
    ]  # fmt: skip


def test_lrc_of_other_programs():
    text = "[ar:somebody]\n[00:10.123]<00:10.12>la <00:11.00>la\n[00:20:50][00:05.00]refrain\n[00:30]end\n\nwords"
    assert [(line.start, line.text) for line in from_lrc(text)] == [
        (5.0, "refrain"), (10.123, "la la"), (20.5, "refrain"), (30.0, "end"),
    ]  # fmt: skip
    assert from_lrc(" \n") == ()
    with pytest.raises(InputError, match="no times"):
        from_lrc("just words")


def test_enhanced_lrc_times_each_piece():
    found, _ = aligned(TEXTS, stepped(TEXTS), 3.0)
    assert to_enhanced_lrc(found) == (
        "[00:00.00]<00:00.00>[Verse]\n[00:01.00]<00:01.00>la <00:01.50>lu\n[00:02.50]<00:02.50>na"
    )


def test_subtitles_share_a_place_when_they_are_close():
    close = (Line("a", 0, 0), Line("b", 1.9, 2), Line("c", 2.5, 3), Line("d", 100, 100))
    assert [(x.text, x.start, x.end) for x in subtitles(close)] == [
        ("a\nb", 0, 2.5), ("c", 2.5, 100), ("d", 100, 105.0),
    ]  # fmt: skip
    assert subtitles(close, duration=99)[-1].end == 103.0
    assert subtitles(()) == ()


def test_vtt_and_srt():
    assert to_vtt(LINES, 65.5).startswith("WEBVTT\n\n1\n00:00:00.500 --> 00:00:04.000\none\n\n2\n")
    assert to_srt(LINES, 3725.5).endswith("3\n00:00:59,999 --> 01:02:05,500\nthree\n")


def test_scores_come_back_from_their_json():
    scores = Scores(
        "la", SIGNAL, 0.5, None, 0.25, 0.75, {"caption": 0.9}, (Line("la", 0.0, 1.0, 0.5, -0.1),), ("why",)
    )
    assert Scores.from_json(scores.to_json()) == scores
    with pytest.raises(ProjectError, match="cannot be read"):
        Scores.from_json("{}")
    with pytest.raises(ProjectError, match="schema 9"):
        Scores.from_json(scores.to_json().replace('"schema": 1', '"schema": 9'))


def test_an_alignment_comes_back_from_its_file():
    found, _ = aligned(TEXTS, stepped(TEXTS), 3.0)
    again = Alignment.from_bytes(found.to_bytes())
    assert again.texts == TEXTS and np.array_equal(again.path, found.path)
    assert np.allclose(again.energy, found.energy, atol=1 / 255) and np.array_equal(again.times, found.times)
    with pytest.raises(ProjectError, match="damaged"):
        Alignment.from_bytes(found.to_bytes()[:100])


def test_the_worst_line_is_one_that_is_not_sung_then_the_one_least_clear():
    tag, good, bad = Line("[A]", 0, 1), Line("b", 1, 2, 0.9, 0.1), Line("c", 2, 3, 0.2, 0.5)
    late, cut = Line("d", 3, 3, 0.0), Line("e", 3, 4, 0.05, 0.5)
    assert [line.clarity for line in (tag, good, bad, late, cut)] == [None, 0.1, 0.2, -1.0, 0.05]
    assert Scores("", SIGNAL, lines=(tag, good, bad)).worst_line is good
    assert Scores("", SIGNAL, lines=(tag, good, cut)).worst_line is cut
    assert Scores("", SIGNAL, lines=(tag, good, bad, late)).worst_line is late
    assert Scores("", SIGNAL, lines=(Line("b", 1, 2, 0.9), Line("c", 2, 3, 0.2))).worst_line.text == "c"
    assert Scores("", SIGNAL, lines=(tag,)).worst_line is None


def test_a_line_is_weak_when_it_is_not_sung_or_far_below_the_others():
    def weak(*lines: Line) -> list[str]:
        return [line.text for line in Scores("", SIGNAL, lines=lines).weak_lines]

    tag, good, fair = Line("[A]", 0, 1), Line("good", 1, 2, 0.3), Line("fair", 2, 3, 0.2)
    poor, wrong = Line("poor", 3, 4, 0.12), Line("wrong", 4, 5, 0.3, -0.1)
    cut = [Line("cut", 5, 5, 0.0), Line("off", 5, 5, 0.0), Line("too", 5, 5, 0.9)]
    assert weak(tag, good, good, fair) == weak(tag) == weak(good) == []
    assert weak(good, good, fair, poor) == ["poor"], "held against the other lines, not against a scale"
    assert weak(tag, good, good, wrong) == ["wrong"] and weak(Line("none", 0, 1, 0.0)) == ["none"]
    assert weak(good, fair, *cut) == ["cut", "off", "too"], "lines without time do not say what is usual"
    assert [line.bar for line in (tag, good, wrong)] == [None, 0.3, 0.0]


def test_every_picture_marks_the_same_lines():
    from acestep_nb import AlignmentMap, RegionPlayer, Song, alignment_map
    from acestep_nb.panels import SongEditor

    texts = ("[V]", "\n", "la", "\n", "lo", "\n", "li")
    found, measured = aligned(texts, stepped(texts), 7.0)
    sung = [
        replace(line, heard=value) for line, value in zip(lines(found), (None, 0.4, -0.2, 0.5), strict=True)
    ]
    scores = Scores("", SIGNAL, measured.score, lines=tuple(sung), alignment=found)
    expected = [(line.text, line.bar, line.text == "lo") for line in sung]
    for drawn in (AlignmentMap(scores).lines, RegionPlayer(None, scores=scores).lines):
        assert [(line["text"], line["score"], line["weak"]) for line in drawn] == expected
    editor = SongEditor(Song(lyrics="[V]\nla\nlo\nli"), scores=scores)
    beside = editor.form.lyrics.area.advice["lines"]
    assert [(line["score"], line["weak"]) for line in beside] == [told[1:] for told in expected]
    bars = alignment_map(scores).axes[1].patches
    assert [bool(bar.get_hatch()) for bar in bars] == [told[2] for told in expected]
