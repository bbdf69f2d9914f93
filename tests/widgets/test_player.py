"""The player: pictures at once, sound when it is asked for, nothing heavy in between."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_nb import Audio, History, Player, Song
from acestep_nb.widgets.player import title

STATIC = Path(__file__).parents[2] / "acestep_nb" / "widgets" / "static"
JS = Path(__file__).parents[2] / "js"


def listening(player: Player) -> list:
    """What the player sends to the browser from now on."""
    sent = []
    player.send = lambda content, buffers=None: sent.append((content, buffers))
    return sent


def ask(player: Player, key: str) -> None:
    player._handle_custom_msg({"kind": "sound", "id": key, "request": "r1"}, [])


def test_labels_stand_before_numbers(make_take):
    takes = [make_take(seed=seed) for seed in (1, 2)]
    assert [card["title"] for card in Player(takes, ["<b>quiet"]).cards] == ["<b>quiet", "Take 2"]
    player = Player(takes, {"one": 1, "two": 2, "three": 3})
    assert [card["title"] for card in player.cards] == ["one", "two"], "keys of a dict are labels, too"
    player.show(takes)
    assert [card["title"] for card in player.cards] == ["Take 1", "Take 2"]


def test_a_card_says_what_the_take_is(make_take):
    song = Song(caption="rainy night", bpm=76, keyscale="Am", timesignature="6/8", vocal_language="zh")
    (card,) = Player(replace(make_take(seed=7, seconds=0.5), song=song)).cards
    assert card["title"] == "Take 1" and card["caption"] == "rainy night" and card["duration"] == 0.5
    assert card["facts"] == ["seed 7", "76 bpm", "A minor", "6/8", "zh · 中文"]
    assert len(card["peaks"]) == 400 and max(card["peaks"]) > 100


def test_peaks_are_the_loudest_samples(tmp_path):
    samples = np.zeros((2, 48_000), np.float32)
    samples[1, 24_000:] = -0.5
    (card,) = Player(Audio(samples, 48_000)).cards
    assert set(card["peaks"][:200]) == {0} and set(card["peaks"][200:]) == {128}


def test_nothing_heavy_travels_with_the_widget(make_take):
    player = Player([make_take(seed=seed, seconds=2.0) for seed in range(8)])
    state = {name: value for name, value in player.get_state().items() if not name.startswith("_")}
    sizes = len(json.dumps(state, default=lambda data: data.hex()))
    assert sizes < 12_000, "400 bytes of waveform per take and a few words"


def test_sound_is_sent_when_it_is_asked_for(make_take):
    take = make_take(seconds=0.5)
    player = Player([make_take(seed=1), take])
    sent = listening(player)
    ask(player, "sound 2")
    ((content, (data,)),) = sent
    assert content == {"kind": "sound", "request": "r1", "mime": "audio/flac"}
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert rate == 48_000 and np.abs(samples.T - take.audio.samples).max() < 1e-4


def test_a_kept_take_is_sent_as_it_is_kept(tmp_path, make_take):
    take = History(tmp_path).add(make_take())
    player = Player(take)
    sent = listening(player)
    ask(player, take.name)
    assert sent[0][1] == [(take.folder / "audio.flac").read_bytes()]


def test_a_sound_that_cannot_be_read_is_answered_with_words(tmp_path, make_take):
    take = History(tmp_path).add(make_take())
    player = Player(take)
    sent = listening(player)
    (take.folder / "audio.flac").unlink()
    ask(player, take.name)
    ask(player, "sound 9")
    assert [content["kind"] for content, _ in sent] == ["failed", "failed"]
    assert "audio.flac" in sent[0][0]["text"] and "no longer" in sent[1][0]["text"]


def test_a_damaged_take_still_has_a_card(tmp_path, make_take):
    history = History(tmp_path)
    take = history.add(make_take())
    for name in ("peaks.npy", "audio.flac"):
        (take.folder / name).unlink()
    (card,) = Player(history.takes).cards
    assert "audio.flac" in card["problem"] and card["peaks"] == b""


def test_what_a_stranger_sends_is_ignored(make_take):
    player = Player(make_take())
    sent = listening(player)
    for message in ({}, {"kind": "star", "id": "sound 1"}, {"kind": "remove"}, {"id": 3}):
        player._handle_custom_msg(message, [])
    assert sent == []


def test_showing_others_replaces_the_list(make_take):
    player = Player(make_take(seed=1))
    player.show([make_take(seed=2), Audio(np.zeros((1, 480)), 48_000)])
    assert [card["facts"] for card in player.cards] == [["seed 2"], []]


@pytest.mark.parametrize(
    ("name", "number", "expected"), [("0007_rain_s1", 3, "Take 7"), ("", 3, "Take 3"), ("x", 3, "Take 3")]
)
def test_a_kept_take_is_called_by_its_number(make_take, name, number, expected):
    take = make_take()
    object.__setattr__(take, "name", name)
    assert title(take, number) == expected


@pytest.mark.skipif(not (JS / "node_modules").is_dir(), reason="needs Node: run `npm ci` in js/")
def test_the_bundle_is_what_the_sources_build(tmp_path):
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=JS, check=True, capture_output=True)
    for built in tmp_path.iterdir():
        assert built.read_bytes() == (STATIC / built.name).read_bytes(), "run `npm run build` in js/"


def test_the_bundle_is_whole_and_carries_its_licence():
    bundle = (STATIC / "player.js").read_text("utf-8")
    assert "import " not in bundle.split(";")[0] and "https://" not in bundle
    assert 20_000 < len(bundle) < 100_000
    assert "BSD 3-Clause" in (STATIC / "wavesurfer-LICENSE.txt").read_text("utf-8")
