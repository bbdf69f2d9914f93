import json
import shutil

import pytest
import torch

from acestep_nb.nano import tokens
from acestep_nb.nano.networks import Networks
from acestep_nb.nano.train import load_tokens


def test_training_quantizes_as_the_library_does(networks):
    hidden = torch.randn(3, 7, 128, generator=torch.Generator().manual_seed(0), requires_grad=True)
    ours = tokens.quantize(networks.audio_tokenizer.quantizer, hidden)
    theirs, _ = networks.audio_tokenizer.quantizer(hidden)
    assert torch.allclose(ours, theirs, atol=1e-5)
    ours.square().sum().backward()
    assert hidden.grad.abs().sum() > 0


def test_regions_are_averages():
    table = tokens.regions()
    assert table.shape == (276, 10) and torch.allclose(table.sum(0), torch.ones(10), atol=1e-5)


def test_flux_sees_what_begins(codec):
    silence = codec.project(torch.full((1, 20, 276), -2.0))
    assert tokens.flux(silence, codec, tokens.regions()).max() < 0.05
    bands = torch.full((1, 20, 276), -2.0)
    bands[:, 10:] = 1.0
    curve = tokens.flux(codec.project(bands), codec, tokens.regions())[0, :, 9]
    assert curve.max() > 1 and curve.argmax() == 9  # from frame 9 to frame 10


@pytest.fixture
def runs(corpus_folder, tmp_path, monkeypatch):
    shutil.copytree(corpus_folder, tmp_path / "corpus")
    monkeypatch.setattr(tokens, "STEPS", 2)
    monkeypatch.setattr(tokens, "SIZE", 2)
    monkeypatch.setattr(tokens, "LOG_EVERY", 2)
    return tmp_path


def test_trained_tokens_become_the_pair_of_the_networks(runs):
    tokens.train_tokens(runs)
    (line,) = [json.loads(line) for line in (runs / "tokens.jsonl").read_text().splitlines()]
    assert line["step"] == 2 and all(line[name] > 0 for name in tokens.WEIGHTS)
    first, second, fresh = Networks(), Networks(), Networks()
    load_tokens(first, runs)
    load_tokens(second, runs)
    x = torch.randn(1, 50, 64, generator=torch.Generator().manual_seed(0))
    codes = [networks.audio_tokenizer.tokenize(x)[1] for networks in (first, second, fresh)]
    assert torch.equal(codes[0], codes[1]) and not torch.equal(codes[0], codes[2])
    assert not any(p.requires_grad for p in first.audio_token_detokenizer.parameters())
    before = (runs / "tokens.safetensors").read_bytes()
    tokens.train_tokens(runs)
    assert (runs / "tokens.safetensors").read_bytes() == before
