from dataclasses import replace

import numpy as np
import pytest
import torch
from pieces import LA_REST_MI, make_piece

from acestep_nb.nano import heads as nano
from acestep_nb.nano.heads import IGNORED, Heads, losses, targets
from acestep_nb.nano.lessons import FRAMES, LYRIC_HEADER, Lesson, Teacher
from acestep_nb.nano.music import chord_tones, tempo_class
from acestep_nb.nano.networks import use_matmul_attention
from acestep_nb.nano.phrasing import Prompt
from acestep_nb.nano.render import roll
from acestep_nb.nano.tokenizer import syllable_of_class

PROMPT = Prompt("rock", "[Verse]\nla mi", "en", 120, "C major", "4")
SINGING = make_piece(bpm=120, voice="female", slots=LA_REST_MI * 4, seconds=30.0)


def lesson(piece=SINGING, **more):
    return Lesson("text2music", piece, PROMPT, 0, torch.zeros(FRAMES, 64), None, **more)


@pytest.fixture
def teacher(small_corpus, writer, networks, rng):
    return Teacher(small_corpus, writer, networks, rng)


def seconds_of(item):
    """Centre of each transformer token: two frames of 40 ms."""
    return [(item.first + 2 * k + 1) / 25 for k in range(len(item.target) // 2)]


def test_targets_follow_the_music(teacher):
    lessons = teacher.plan(8).lessons
    wanted = targets(lessons)
    for i, item in enumerate(lessons):
        piece = item.piece
        assert wanted.tempo[i] == tempo_class(piece.bpm)
        assert divmod(int(wanted.key[i]), 2) == (piece.key, ("major", "minor").index(piece.mode))
        for k, seconds in enumerate(seconds_of(item)):
            beats = seconds * piece.tempo / 60
            assert wanted.root[i, k] == chord_tones(piece.key, piece.mode, int(beats // 4))[0]
            assert wanted.phase[i, k, 0] == pytest.approx(np.sin(2 * np.pi * beats), abs=1e-3)
            assert wanted.phase[i, k, 3] == pytest.approx(np.cos(2 * np.pi * beats / 4), abs=1e-3)
        told = roll(piece, item.first, len(item.target))
        assert np.array_equal(wanted.roll[i].numpy().reshape(told.shape), told)


def test_the_aligned_token_is_the_vowel_that_sounds(teacher):
    """Where the voice sings, the token of the lyric prompt that the heads must attend to has its vowel."""
    batch, sung, silent = teacher.plan(30), 0, 0
    wanted = targets(batch.lessons)
    for i in range(len(batch.lessons)):
        for vowel, place in zip(wanted.vowel[i].tolist(), wanted.align[i].tolist(), strict=True):
            if vowel > 0:
                assert place >= LYRIC_HEADER and batch.lyrics_mask[i, place]
                assert syllable_of_class(int(batch.lyrics[i, place])).vowel == vowel - 1
                sung += 1
            silent += vowel == 0
    assert sung > 200 and silent > 200


def test_rests_and_ends_are_silent():
    item = lesson()  # la, a rest, mi
    wanted = targets([item])
    for k, seconds in enumerate(seconds_of(item)):
        beat, part = divmod(seconds / item.piece.beat, 1)
        sounds = beat < 12 and LA_REST_MI[int(beat) % 3] and part < 0.9
        assert wanted.vowel[0, k] == (1 + LA_REST_MI[int(beat) % 3].vowel if sounds else 0)
        assert wanted.align[0, k] == (LYRIC_HEADER + beat if beat < 12 else IGNORED)


def test_an_instrumental_is_silent_and_has_no_place_in_the_lyrics():
    wanted = targets([lesson(make_piece(seconds=30.0))])
    assert (wanted.vowel == 0).all() and (wanted.align == IGNORED).all()


def test_what_does_not_follow_is_ignored():
    extracted = replace(lesson(sings=False), task="extract")
    nothing = targets([lesson(null=True), extracted])
    assert (nothing.vowel == IGNORED).all() and (nothing.align == IGNORED).all()
    wordless = targets([replace(lesson(), prompt=replace(PROMPT, lyrics=""))])
    assert (wordless.align == IGNORED).all() and (wordless.vowel >= 0).all()


def test_a_repaint_is_asked_only_in_its_window():
    wanted = targets([replace(lesson(window=(60, 121)), task="repaint")])
    for name in ("vowel", "align", "root"):
        known = getattr(wanted, name)[0] != IGNORED
        assert known[30:60].all() and not known[:30].any() and not known[60:].any()


def all_losses(teacher, lessons, planning=False):
    batch = teacher.batch(lessons)
    torch.manual_seed(1)
    heads, alignment = Heads(teacher.networks), use_matmul_attention(teacher.networks)
    noise = torch.randn_like(batch.target)
    return losses(
        teacher.networks, heads, alignment, batch, torch.full((len(lessons),), 0.7), noise, planning
    )


def test_every_loss_teaches_the_network(teacher):
    singing = next(i for i, clip in enumerate(teacher.corpus.clips) if clip.piece.voice)
    terms = all_losses(teacher, [replace(teacher._lesson("text2music", singing), null=False)] * 2)
    assert set(terms) == {*nano.WEIGHTS, "_hit"}
    for name in nano.WEIGHTS:
        teacher.networks.zero_grad()
        terms[name].backward(retain_graph=True)
        slopes = [p.grad for p in teacher.networks.parameters() if p.grad is not None]
        assert all(torch.isfinite(slope).all() for slope in slopes)
        assert sum(float(slope.abs().sum()) for slope in slopes) > 0, name


def test_planning_has_no_flow(teacher):
    terms = all_losses(teacher, teacher.plan(3).lessons, planning=True)
    assert {"metas", "phase", "root", "roll", "vowel"} <= set(terms) and "flow" not in terms


def test_without_a_clock_nothing_is_asked_that_needs_one(teacher):
    index = next(i for i, clip in enumerate(teacher.corpus.clips) if not clip.piece.voice)
    assert set(all_losses(teacher, [teacher._lesson("lego", index)])) == {"flow"}


def test_flow_is_the_weighted_error():
    error, weight = torch.tensor([[[2.0], [4.0]]]), torch.tensor([[1.0, 0.25]])
    assert nano._flow(error, weight) == pytest.approx((4 + 0.25 * 16) / 1.25)


def test_alignment_is_perfect_on_the_right_tokens():
    wanted = torch.tensor([[3, IGNORED, 5]])
    right = torch.zeros(1, 2, 3, 8)
    right[:, :, 0, 3] = right[:, :, 1, 7] = right[:, :, 2, 5] = 1
    found = nano._alignment(right, wanted)
    assert found["align"] == pytest.approx(0, abs=1e-4) and found["_hit"] == 1
    assert nano._alignment(right, torch.tensor([[3, IGNORED, 6]]))["_hit"] == 0.5
