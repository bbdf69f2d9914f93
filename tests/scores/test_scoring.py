"""Takes are scored through the engine: edge cases of lyrics, codes and planners; nano's own figures."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from acestep_nb import (
    Cancelled,
    CheckpointError,
    Engine,
    History,
    InputError,
    ProjectError,
    RenderError,
    Song,
)
from acestep_nb.checkpoints.index import ALIGNMENT_HEADS
from acestep_nb.scores import judging
from acestep_nb.scores.lrc import from_lrc
from acestep_nb.scores.reading import lyric_tokens

MIXED = "[Verse]\nla 夜空 안녕 étoile\n\n[Chorus - powerful]\nこんにちは 🎵 na na"


@pytest.fixture
def engine(tiny_engine, monkeypatch):
    """The tiny engine with one alignment head named."""
    config = tiny_engine._models.transformer.config
    named = type(config)({**config, ALIGNMENT_HEADS: {"1": [1]}})
    monkeypatch.setattr(tiny_engine._models.transformer, "_internal_dict", named)
    return tiny_engine


@pytest.fixture
def take(make_take):
    def made(lyrics, seconds=12.0, **more):
        made = make_take(seconds=seconds, **more)
        return replace(made, song=Song(caption="rainy night", lyrics=lyrics, duration=seconds))

    return made


def test_every_line_has_its_place(engine, take):
    scores = engine.score(take(MIXED), listen=True)
    assert [line.text for line in scores.lines] == [line for line in MIXED.split("\n") if line]
    assert [line.score is None for line in scores.lines] == [True, False, True, False]
    assert all(0 <= line.start <= line.end <= 12 for line in scores.lines)
    starts = [line.start for line in scores.lines]
    assert starts == sorted(starts)
    assert 0 <= scores.lyrics_alignment <= 1 and -1 <= scores.lyrics_heard <= 1
    assert scores.plan_alignment is None and scores.quality is None and judging.NO_CODES in scores.notes
    tokens, frames = scores.alignment.energy.shape
    assert tokens == len(scores.alignment.texts) and frames == 150


def test_a_score_is_the_same_every_time(engine, take):
    made = take(MIXED)
    assert engine.score(made) == engine.score(made)


@pytest.mark.parametrize("lyrics", ["", "  \n ", "[Instrumental]", "[Verse]\n[Chorus]\n\n[Outro]"])
def test_without_words_there_are_the_facts_alone(engine, take, lyrics):
    scores = engine.score(take(lyrics), listen=True)
    assert scores.lyrics_alignment is None and scores.lyrics_heard is None and scores.lines == ()
    assert judging.NO_WORDS in scores.notes and scores.signal.loudness is not None


def test_the_longest_lyrics_are_scored_as_far_as_the_renderer_reads(engine, take):
    line = "la lu le lo li ly na no nu ne\n"
    lyrics = (line * 200)[:4096]
    tokens = lyric_tokens(engine._models.tokenizer, lyrics, None)
    assert not tokens.whole and 2000 < tokens.rows.stop < 2048
    scores = engine.score(take(lyrics, seconds=10.0))
    assert judging.CUT in scores.notes and "".join(scores.alignment.texts) == lyrics[: len(tokens.texts)]
    assert scores.lines[0].text == line.strip()


def test_what_the_renderer_reads_is_what_is_scored(engine):
    for lyrics in ("la", MIXED, "x" * 3000):
        tokens = lyric_tokens(engine._models.tokenizer, lyrics, "en")
        ids = engine._models.tokenizer(f"# Languages\nen\n\n# Lyric\n{lyrics}<|endoftext|>").input_ids
        header = len("# Languages\nen\n\n# Lyric\n")
        assert tokens.first == header
        # of whole lyrics two end tokens follow: the one that is written and the one that the tokenizer adds
        assert not tokens.whole or tokens.rows.stop == len(ids) - 2


@pytest.mark.parametrize("seconds", [0.2, 3.0, 5.12, 10.04])
def test_short_takes_are_scored(engine, take, seconds):
    made = replace(take(MIXED), song=Song(caption="x", lyrics=MIXED))
    made = replace(made, latents=made.latents[: max(1, int(seconds * 25))])
    scores = engine.score(made)
    assert all(line.end <= seconds + 0.1 for line in scores.lines)


def test_codes_bring_a_score_of_the_plan(engine, take):
    made = replace(take(MIXED), codes=tuple(range(60)))
    scores = engine.score(made)
    assert 0 <= scores.plan_alignment <= 1 and scores.quality is None and judging.NO_PLANNER in scores.notes
    other = replace(made, latents=made.latents[::-1].copy())
    assert engine.score(other).plan_alignment == scores.plan_alignment  # before any sound
    assert engine.score(other).lyrics_alignment != scores.lyrics_alignment


def test_codes_of_a_part_say_nothing_about_the_whole(engine, take):
    made = take(MIXED)
    short = replace(made, codes=tuple(range(20)))
    assert engine.score(short).lyrics_alignment == engine.score(made).lyrics_alignment


@pytest.fixture(scope="module")
def planner(tmp_path_factory):
    import torch
    from planners import build_planner

    from acestep_nb.planner.planner import Planner

    folder = build_planner(tmp_path_factory.mktemp("planners") / "planner")
    return Planner.load(folder, torch.device("cpu"), torch.float32)


@pytest.fixture
def planned(engine, planner, monkeypatch):
    """An engine with a planner that knows the codes 0–63."""
    monkeypatch.setattr(engine, "_planner", planner)
    return engine


def test_a_planner_gives_its_opinion(planned, take):
    made = replace(take("la la"), codes=tuple(range(60)))
    made = replace(made, song=replace(made.song, timesignature="4"))
    scores = planned.score(made)
    assert set(scores.conditions) == {"caption", "lyrics", "duration", "timesignature"}
    assert 0 < scores.quality < 1 and judging.NO_PLANNER not in scores.notes
    sharper = planned.score(made, sensitivity=0.01)
    for name in ("caption", "lyrics"):
        assert abs(sharper.conditions[name] - 0.5) >= abs(scores.conditions[name] - 0.5)
    assert sharper.conditions["duration"] == scores.conditions["duration"]
    assert planned.best_of([made, made], by="quality") is made


def test_the_planners_opinion_is_one_forward_pass(planned, planner, take):
    calls = []
    hook = planner.network.model.register_forward_hook(lambda *call: calls.append(1))
    try:
        planned.score(replace(take(MIXED), codes=tuple(range(60))))
    finally:
        hook.remove()
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"codes": (1, 2, 63_000)}, "63000"),
        ({"lyrics": "la <|im_end|> la"}, "im_end"),
        ({"lyrics": "ひ" * 4096}, "tokens long"),
    ],
)
def test_what_a_planner_cannot_read_has_no_quality_and_says_why(planned, take, changes, why):
    made = replace(take(changes.get("lyrics", "la la")), codes=changes.get("codes", tuple(range(60))))
    scores = planned.score(made)
    assert scores.quality is None and scores.lyrics_alignment is not None
    assert any(note.startswith("no quality") and why in note for note in scores.notes)


def test_a_checkpoint_without_heads_still_listens(tiny_engine, take):
    scores = tiny_engine.score(take(MIXED), listen=True)
    assert scores.lyrics_alignment is None and scores.lines == () and judging.NO_HEADS in scores.notes
    assert scores.lyrics_heard is not None


def test_other_lyrics_can_be_tried_and_are_not_kept(engine, take, tmp_path):
    made = History(tmp_path).add(take("la lu\nna no"))
    other = engine.score(made, "mi mi mi")
    assert other.lyrics == "mi mi mi" and [line.text for line in other.lines] == ["mi mi mi"]
    assert made.scores is None


def test_scores_are_kept_beside_the_take(engine, take, tmp_path):
    made = History(tmp_path).add(take(MIXED))
    scores = engine.score(made)
    assert History(tmp_path).get(made.name).scores == scores
    assert np.array_equal(made.scores.alignment.path, scores.alignment.path)
    read = from_lrc((made.folder / "lyrics.lrc").read_text(encoding="utf-8"))
    assert [line.text for line in read] == [line.text for line in scores.lines]
    (made.folder / "scores.json").write_text("{")
    with pytest.raises(ProjectError, match="scores"):
        _ = made.scores


def test_a_take_without_words_keeps_no_map(engine, take, tmp_path):
    made = History(tmp_path).add(take(""))
    engine.score(made)
    assert made.scores.alignment is None and not (made.folder / "lyrics.lrc").exists()


def test_the_best_of_many(engine, take, tmp_path, monkeypatch):
    history = History(tmp_path)
    takes = [history.add(take("la lu\nna no", seed=seed)) for seed in (1, 2, 3)]
    by_hand = max(takes, key=lambda made: engine.score(made).lyrics_alignment)
    monkeypatch.setattr(engine, "score", lambda *_, **__: pytest.fail("scored twice"))
    assert engine.best_of(takes) == by_hand


def test_what_was_not_measured_yet_is_measured_and_the_rest_stays(
    engine, planner, take, tmp_path, monkeypatch
):
    made = History(tmp_path).add(replace(take("la lu"), codes=tuple(range(60))))
    before = engine.score(made, listen=True)
    assert before.quality is None
    monkeypatch.setattr(engine, "_planner", planner)
    assert engine.best_of([made], by="quality") == made
    assert made.scores.quality is not None and made.scores.lyrics_heard == before.lyrics_heard


@pytest.mark.parametrize(
    ("lyrics", "by", "field"),
    [(None, None, "takes"), ("la", "beauty", "by"), ("", None, "takes"), ("la", "quality", "takes")],
)
def test_what_cannot_be_ranked_says_why(engine, take, lyrics, by, field):
    with pytest.raises(InputError) as caught:
        engine.best_of([] if lyrics is None else [take(lyrics)], by=by)
    assert caught.value.field == field


def test_bad_asks_are_refused(engine, take):
    with pytest.raises(InputError, match="lyrics"):
        engine.score(take("la"), "x" * 5000)
    for sensitivity in (0.0, 2, float("nan"), "much"):
        with pytest.raises(InputError, match="sensitivity"):
            engine.score(take("la"), sensitivity=sensitivity)


@pytest.mark.parametrize(
    "call",
    [
        lambda engine, made: engine.score(None),
        lambda engine, made: engine.score(made.audio),
        lambda engine, made: engine.best_of(made),
        lambda engine, made: engine.best_of(None),
        lambda engine, made: engine.best_of("takes"),
    ],
)
def test_what_is_no_take_is_refused(engine, take, call):
    with pytest.raises(InputError) as caught:
        call(engine, take("la"))
    assert caught.value.field in ("take", "takes") and caught.value.remedy


def test_numbers_that_are_none_are_no_score(engine, take):
    made = take("la")
    for listen in (False, True):
        with pytest.raises(RenderError, match="not finite"):
            engine.score(replace(made, latents=np.full_like(made.latents, np.nan)), listen=listen)


def test_networks_that_take_turns_are_brought_before_they_are_asked(engine, take, monkeypatch):
    models, brought = engine._models, []
    monkeypatch.setattr(models.residence, "bring", brought.append)
    hook = models.transformer.register_forward_pre_hook(lambda *call: brought.append("asked"))
    try:
        engine.score(replace(take(MIXED), codes=tuple(range(60))), listen=True)
    finally:
        hook.remove()
    assert brought.count("asked") == 2 and "reading" in brought
    assert all(brought[i - 1] in ("rendering", "asked") for i, work in enumerate(brought) if work == "asked")


def test_waiting_for_the_networks_can_be_stopped(engine, take):
    cancel, made = threading.Event(), take("la")
    threading.Timer(0.2, cancel.set).start()
    with engine._lock, pytest.raises(Cancelled):
        engine.score(made, cancel=cancel)


def test_a_network_without_heads_names_the_key(tiny_models):
    from acestep_nb.scores.attention import alignment_heads

    with pytest.raises(CheckpointError, match=ALIGNMENT_HEADS):
        alignment_heads(tiny_models.transformer)


def test_nano_names_its_heads():
    assert Engine.load("nano", planner=False)._models.transformer.config[ALIGNMENT_HEADS]


def test_a_take_draws_its_own_alignment(engine, take, tmp_path):
    made = take(MIXED)
    with pytest.raises(InputError, match="not scored") as caught:
        made.plot_alignment()
    assert "engine.score(take)" in caught.value.remedy
    figure = made.plot_alignment(engine.score(made))
    kept = History(tmp_path).add(made)
    engine.score(kept)
    for picture in (figure, kept.plot_alignment()):
        labels = [label.get_text() for label in picture.axes[0].get_yticklabels()]
        assert labels == [line for line in MIXED.split("\n") if line]
