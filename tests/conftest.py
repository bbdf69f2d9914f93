"""Fixtures of the whole suite: a tiny random checkpoint of the real classes, and recorded data."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import golden
import helpers
import pytest
from browser import chromium, pytest_collection_modifyitems, pytest_runtest_makereport  # noqa: F401
from hypothesis import settings

# a machine that is busy with something else is no mistake in the code
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
# as Engine.load does, for tests that go around it
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
TESTS = Path(__file__).parent
TEXT_WIDTH, WIDTH = 24, 32


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A whole run fails when recorded data lies there that none of its tests has read."""
    whole = not session.config.args or {Path(arg).resolve() for arg in session.config.args} == {TESTS}
    chosen = session.config.option.keyword or session.config.option.markexpr
    if (
        whole
        and not chosen
        and not session.config.option.collectonly
        and not session.testsfailed
        and (unread := golden.unread())
    ):
        told = "\n  ".join(unread)
        print(f"\nrecorded data that no test has read:\n  {told}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint folder with random weights (about 5 MB); do not write into it."""
    return build_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def own_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint to do harm to."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "own"))


@pytest.fixture(scope="session")
def tiny_models(tiny_checkpoint: Path):
    """The networks of the tiny checkpoint; undo whatever you patch."""
    import torch

    from acestep_nb.checkpoints.loading import load

    return load(tiny_checkpoint, torch.device("cpu"), torch.float32)


@pytest.fixture
def make_take() -> Callable[..., object]:
    """Makes a take of seeded noise; `seed`, `caption` and `seconds` can be chosen."""
    return helpers.make_take


@pytest.fixture
def tiny_engine(tiny_models):
    from acestep_nb.engine import Engine

    return Engine(tiny_models)


def build_checkpoint(folder: Path) -> Path:
    """A checkpoint of the real classes, a few thousand weights each, in diffusers' layout."""
    import torch

    torch.manual_seed(0)
    index: dict[str, object] = {"_class_name": "AceStepPipeline"}
    for name, build in BUILDERS.items():
        component = build()
        component.save_pretrained(folder / name)
        index[name] = [type(component).__module__.split(".")[0], type(component).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _tokenizer():
    """Bytes as tokens; like the real one it appends one more end-of-text token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    vocabulary = {end: 0} | {
        letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()), 1)
    }
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([end])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=end, eos_token=end, padding_side="right"
    )


def _text_encoder():
    from transformers import Qwen3Config, Qwen3Model

    return Qwen3Model(
        Qwen3Config(
            vocab_size=257,
            hidden_size=TEXT_WIDTH,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            max_position_embeddings=4096,
        )
    )


_ATTENTION = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "sliding_window": 8}


def _condition_encoder():
    from diffusers.pipelines.ace_step import AceStepConditionEncoder

    encoder = AceStepConditionEncoder(
        hidden_size=WIDTH,
        intermediate_size=48,
        text_hidden_dim=TEXT_WIDTH,
        num_lyric_encoder_hidden_layers=2,
        num_timbre_encoder_hidden_layers=2,
        **_ATTENTION,
    )
    encoder.silence_latent.normal_()
    return encoder


def _transformer():
    from diffusers import AceStepTransformer1DModel

    return AceStepTransformer1DModel(
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        in_channels=192,
        is_turbo=True,
        **_ATTENTION,
    )


def _vae():
    from acestep_nb.nano.codec import SpectralCodec

    codec = SpectralCodec(griffin_lim_iterations=1)
    codec.analysis.normal_(std=0.05)
    codec.synthesis.normal_(std=0.05)
    return codec


def _audio_tokenizer():
    from diffusers.pipelines.ace_step import AceStepAudioTokenizer

    return AceStepAudioTokenizer(
        hidden_size=WIDTH,
        intermediate_size=48,
        fsq_dim=WIDTH,
        num_attention_pooler_hidden_layers=1,
        **_ATTENTION,
    )


def _audio_token_detokenizer():
    from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer

    return AceStepAudioTokenDetokenizer(
        hidden_size=WIDTH, intermediate_size=48, num_attention_pooler_hidden_layers=1, **_ATTENTION
    )


BUILDERS: dict[str, Callable[[], object]] = {
    "tokenizer": _tokenizer,
    "text_encoder": _text_encoder,
    "condition_encoder": _condition_encoder,
    "transformer": _transformer,
    "vae": _vae,
    "audio_tokenizer": _audio_tokenizer,
    "audio_token_detokenizer": _audio_token_detokenizer,
}
