import pytest
import torch

from acestep_nb.renderer import conditions
from acestep_nb.renderer.conditions import silence, text2music
from acestep_nb.song import Song

BALLAD = Song(caption="piano ballad", lyrics="[Verse]\nmoonlight", vocal_language="en", bpm=80, duration=10)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize(
    ("seconds", "frames"), [(10.0, 250), (10.1, 252), (12.3, 307), (20.0, 500), (600.0, 15000)]
)
def test_context_is_silence_and_a_mask_of_ones(tiny_models, seconds, frames):
    context = conditions.text2music(tiny_models, [Song(caption="x", duration=seconds)]).context
    assert context.shape == (1, frames, 128)
    assert torch.equal(context[..., :64], tiny_models.condition_encoder.silence_latent[:, :frames])
    assert (context[..., 64:] == 1).all()


def test_few_frames_are_padded_to_the_minimum(tiny_models, monkeypatch):
    monkeypatch.setattr(conditions, "latent_frames", lambda seconds: 50)
    context = text2music(tiny_models, [BALLAD]).context
    assert torch.equal(context[..., :64], silence(tiny_models, 128)) and (context[..., 64:] == 1).all()


def test_silence_longer_than_stored_starts_over(tiny_models):
    stored = tiny_models.condition_encoder.silence_latent
    assert torch.equal(silence(tiny_models, 15_003), torch.cat([stored, stored[:, :3]], dim=1))


def test_default_duration_is_told_to_the_model(tiny_models):
    spoken = Song(caption="x", duration=30)
    left_open = text2music(tiny_models, [Song(caption="x")])
    assert torch.equal(left_open.hidden, text2music(tiny_models, [spoken]).hidden)
    assert left_open.frames == 750


def test_words_are_cut_to_what_the_encoders_read(tiny_models):
    endless = Song(caption="a" * 512, lyrics="la " * 1365, duration=10)
    assert text2music(tiny_models, [endless]).hidden.shape[1] == 256 + 1 + 2048


def test_a_token_limit_keeps_the_end_of_text(tiny_models):
    ids, valid = conditions._tokens(tiny_models, ["a" * 900], 256)
    assert ids.shape == (1, 256) and valid.all() and ids[0, -1] == tiny_models.tokenizer.eos_token_id


@pytest.mark.parametrize("field", ["caption", "lyrics", "vocal_language", "bpm", "keyscale", "timesignature"])
def test_every_word_counts(tiny_models, field):
    from dataclasses import replace

    other = {"vocal_language": "zh", "bpm": 120, "keyscale": "A minor", "timesignature": "3"}.get(
        field, "others"
    )
    plain, changed = (
        text2music(tiny_models, [BALLAD]).hidden,
        text2music(tiny_models, [replace(BALLAD, **{field: other})]).hidden,
    )
    assert plain.shape != changed.shape or not torch.allclose(plain, changed)


def test_padding_at_the_right_changes_nothing_before_it(tiny_models):
    short, long = Song(caption="a", lyrics="b", duration=10), Song(caption="abc", lyrics="bcd", duration=10)
    alone, both = text2music(tiny_models, [short]).hidden, text2music(tiny_models, [short, long]).hidden
    assert both.shape[1] == alone.shape[1] + 4
    assert torch.allclose(both[:1, : alone.shape[1]], alone, atol=1e-5)
