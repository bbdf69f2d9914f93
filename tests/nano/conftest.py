"""Fixtures of nano's tests: one tokenizer, one small codec and one small corpus for the whole session."""

from __future__ import annotations

import numpy as np
import pytest
import torch

THREADS = torch.get_num_threads()  # before any test; making a corpus takes one for good


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Everything here is small: more threads would only wait for each other. Other tests get theirs back."""
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(THREADS)


@pytest.fixture(scope="session")
def tokenizer():
    from acestep_nb.nano.tokenizer import build

    return build()


@pytest.fixture(scope="session")
def writer(tokenizer):
    from acestep_nb.nano.phrasing import Writer

    return Writer(tokenizer)


@pytest.fixture(scope="session")
def class_of(writer):
    """Names of the token classes of a text, without the end that the tokenizer appends."""
    from acestep_nb.nano.tokenizer import class_names

    return lambda text: [class_names()[c] for c in writer.tokens(text)[:-1]]


@pytest.fixture(scope="session")
def codec():
    """A codec fitted as in training, on few pieces."""
    from acestep_nb.nano import corpus

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "FIT_PIECES", 16)
        fitted, kept = corpus.fit_codec(seed=3)
    assert kept > 0.9
    return fitted


@pytest.fixture(scope="session")
def corpus_folder(codec, tmp_path_factory):
    """Two shards of two pieces each."""
    from acestep_nb.nano import corpus

    folder = tmp_path_factory.mktemp("runs") / "corpus"
    codec.save_pretrained(folder / "codec")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "SHARD", 2)
        for index in range(2):
            corpus._write_shard((folder, index, 11 + index))
    return folder


@pytest.fixture(scope="session")
def small_corpus(corpus_folder):
    from acestep_nb.nano.corpus import load_corpus

    return load_corpus(corpus_folder)


@pytest.fixture
def networks():
    from acestep_nb.nano.networks import Networks

    torch.manual_seed(0)
    return Networks()


@pytest.fixture
def rng():
    return np.random.default_rng(5)
