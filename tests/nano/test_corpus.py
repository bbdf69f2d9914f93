import json

import numpy as np
import torch

from acestep_nb.nano.corpus import KINDS, SECONDS, build_corpus, load_corpus
from acestep_nb.nano.music import STEMS, Piece
from acestep_nb.nano.render import render

FRAMES = int(SECONDS * 25)


def latents_of(codec, stems):
    """Latents `[frame, 64]` of the sum of some stems."""
    mono = torch.from_numpy(np.sum(list(stems), axis=0, dtype=np.float32))[None]
    return codec.project(codec.log_bands(mono))[0]


def close(found, wanted):
    """Equal up to half precision and the order of summation."""
    return (found.float() - wanted).abs().mean() < 0.005 * wanted.abs().mean() + 1e-3


def test_shapes(small_corpus):
    assert len(small_corpus) == 4 == len({clip.piece.seed for clip in small_corpus.clips})
    for kind in KINDS:
        stems = (len(STEMS),) if kind == "stems" else ()
        assert small_corpus.latents[kind].shape == (4, *stems, FRAMES, 64)
        assert small_corpus.latents[kind].dtype == torch.float16


def test_latents_are_those_of_mix_stems_and_parts(small_corpus, codec):
    for i, clip in enumerate(small_corpus.clips[:2]):
        sound, latents = render(clip.piece), {kind: small_corpus.latents[kind][i] for kind in KINDS}
        assert close(latents["mix"], latents_of(codec, sound.values()))
        assert close(
            latents["minus"], latents_of(codec, [y for name, y in sound.items() if name != clip.stem])
        )
        assert close(latents["part"], latents_of(codec, [sound[name] for name in clip.part_stems]))
        silence = np.zeros_like(sound["chords"])
        for j, name in enumerate(STEMS):
            assert close(latents["stems"][j], latents_of(codec, [sound.get(name, silence)]))


def test_a_clip_names_stems_that_it_has(small_corpus):
    for clip in small_corpus.clips:
        assert isinstance(clip.piece, Piece) and clip.stem in clip.piece.stems
        assert clip.part_stems and set(clip.part_stems) <= set(clip.piece.stems)
        assert clip.part_stems != clip.piece.stems or len(clip.piece.stems) == 1


def test_processes_share_the_shards(corpus_folder, small_corpus):
    halves = [load_corpus(corpus_folder, rank, 2) for rank in range(2)]
    assert [clip for half in halves for clip in half.clips] == small_corpus.clips
    assert torch.equal(torch.cat([half.latents["mix"] for half in halves]), small_corpus.latents["mix"])


def test_shards_that_are_there_are_kept(corpus_folder, codec, monkeypatch):
    monkeypatch.setattr("acestep_nb.nano.corpus.SHARD", 2)
    before = {path: path.stat().st_mtime_ns for path in corpus_folder.glob("shard_*")}
    build_corpus(corpus_folder, 4, codec, seed=99)
    assert {path: path.stat().st_mtime_ns for path in corpus_folder.glob("shard_*")} == before
    assert len(before) == 4


def test_equal_seeds_make_equal_shards(corpus_folder, codec, tmp_path, monkeypatch):
    from acestep_nb.nano import corpus

    monkeypatch.setattr(corpus, "SHARD", 2)
    codec.save_pretrained(tmp_path / "codec")
    corpus._write_shard((tmp_path, 0, 11))
    assert json.loads((tmp_path / "shard_000.json").read_text()) == json.loads(
        (corpus_folder / "shard_000.json").read_text()
    )
    assert torch.equal(load_corpus(tmp_path).latents["mix"], load_corpus(corpus_folder, 0, 2).latents["mix"])
