import numpy as np
import pytest
import torch

from acestep_nb.nano.lessons import FRAMES, LYRIC_HEADER, OUTSIDE_WEIGHT, TASK_SHARE, Teacher
from acestep_nb.nano.music import STEMS
from acestep_nb.nano.tokenizer import class_names
from acestep_nb.renderer import prompts


@pytest.fixture
def teacher(small_corpus, writer, networks, rng):
    return Teacher(small_corpus, writer, networks, rng)


def lessons_of(teacher, task, count=6):
    return [teacher._lesson(task, i % len(teacher.corpus)) for i in range(count)]


def latents(teacher, kind, lesson):
    """The window of the lesson in the corpus."""
    index = next(i for i, clip in enumerate(teacher.corpus.clips) if clip.piece == lesson.piece)
    whole = teacher.corpus.latents[kind][index]
    return whole[..., lesson.first : lesson.first + FRAMES, :].float()


def clip_of(teacher, lesson):
    return next(clip for clip in teacher.corpus.clips if clip.piece == lesson.piece)


def halves(batch):
    """Source latents and chunk mask of a batch."""
    return batch.context[..., :64], batch.context[..., 64:]


@pytest.mark.parametrize("task", TASK_SHARE)
def test_shapes_and_masks(teacher, task):
    batch = teacher.batch(lessons_of(teacher, task))
    assert batch.target.shape == (6, FRAMES, 64) and batch.context.shape == (6, FRAMES, 128)
    assert batch.text.shape == batch.text_mask.shape and batch.lyrics.shape == batch.lyrics_mask.shape
    for lesson, mask, weight in zip(batch.lessons, halves(batch)[1], batch.weight, strict=True):
        assert lesson.task == task and lesson.first % 2 == 0
        start, end = lesson.window
        assert (start, end) == (0, FRAMES) or task == "repaint"
        inside = torch.zeros(FRAMES)
        inside[start:end] = 1
        assert torch.equal(mask, inside[:, None].expand(-1, 64))
        assert torch.equal(weight, inside.clamp(min=OUTSIDE_WEIGHT))
    assert not batch.null.any() or task == "text2music"


def test_text2music_has_the_clock_as_source(teacher):
    batch = teacher.batch(lessons_of(teacher, "text2music"))
    assert len({lesson.first for lesson in batch.lessons}) > 1
    for lesson, source, target in zip(batch.lessons, halves(batch)[0], batch.target, strict=True):
        assert torch.equal(source, teacher.networks.silence[0, lesson.first : lesson.first + FRAMES])
        assert torch.equal(target, latents(teacher, "mix", lesson))


@torch.no_grad()
def test_cover_has_its_own_codes_as_source(teacher):
    batch = teacher.batch([*lessons_of(teacher, "text2music", 1), *lessons_of(teacher, "cover", 3)])
    networks = teacher.networks
    hints = networks.audio_token_detokenizer(networks.audio_tokenizer.tokenize(batch.target[1:])[0])
    assert torch.allclose(halves(batch)[0][1:], hints, atol=1e-5)
    assert not torch.allclose(hints, batch.target[1:], atol=0.1)
    assert all(lesson.first == 0 and lesson.clocked for lesson in batch.lessons[1:])


def test_repaint_hides_the_window_and_keeps_the_rest(teacher):
    batch, strangers = teacher.batch(lessons_of(teacher, "repaint", 24)), 0
    for lesson, source, target in zip(batch.lessons, halves(batch)[0], batch.target, strict=True):
        start, end = lesson.window
        assert 50 <= end - start <= 200
        clock = teacher.networks.silence[0, lesson.first : lesson.first + FRAMES]
        assert torch.equal(source[start:end], clock[start:end])
        outside = torch.cat([torch.arange(start), torch.arange(end, FRAMES)])
        assert torch.equal(source[outside], target[outside])
        mix = latents(teacher, "mix", lesson)
        assert torch.equal(target[start:end], mix[start:end])
        strangers += not torch.equal(target, mix)
        assert not lesson.clocked
    assert 3 < strangers < 21


def test_extract_asks_one_stem_of_the_mix(teacher):
    batch = teacher.batch(lessons_of(teacher, "extract", 12))
    for lesson, source, target in zip(batch.lessons, halves(batch)[0], batch.target, strict=True):
        (stem,) = [name for name in lesson.piece.stems if (lesson.piece.track(name),) == lesson.tracks]
        assert torch.equal(source, latents(teacher, "mix", lesson))
        assert torch.equal(target, latents(teacher, "stems", lesson)[STEMS.index(stem)])
        assert lesson.sings == (stem == "vocals")
    assert len({lesson.tracks for lesson in batch.lessons}) > 2
    assert {bool(lesson.prompt.lyrics) for lesson in batch.lessons} == {True, False}


def test_lego_asks_the_missing_stem(teacher):
    batch = teacher.batch(lessons_of(teacher, "lego"))
    for lesson, source, target in zip(batch.lessons, halves(batch)[0], batch.target, strict=True):
        stem = clip_of(teacher, lesson).stem
        assert lesson.tracks == (lesson.piece.track(stem),)
        assert torch.equal(source, latents(teacher, "minus", lesson))
        assert torch.equal(target, latents(teacher, "stems", lesson)[STEMS.index(stem)])


def test_complete_asks_the_mix_of_some_stems(teacher):
    batch = teacher.batch(lessons_of(teacher, "complete"))
    for lesson, source, target in zip(batch.lessons, halves(batch)[0], batch.target, strict=True):
        given = {lesson.piece.track(name) for name in clip_of(teacher, lesson).part_stems}
        assert given | set(lesson.tracks) == {lesson.piece.track(name) for name in lesson.piece.stems}
        assert not given & set(lesson.tracks)
        assert torch.equal(source, latents(teacher, "part", lesson))
        assert torch.equal(target, latents(teacher, "mix", lesson))


def test_prompts_name_the_task(teacher):
    names = class_names()
    for task in TASK_SHARE:
        batch = teacher.batch(lessons_of(teacher, task, 2))
        for row, mask in zip(batch.text, batch.text_mask, strict=True):
            read = [names[c] for c in row[mask > 0]]
            assert read[:2] == ["instruction", task] and read[-3:] == ["end", "line end", "end"]
        assert all(names[row[1]] == "lyric" for row in batch.lyrics)


def test_planning_needs_no_corpus(writer, networks, rng):
    batch = Teacher(None, writer, networks, rng).plan(5)
    frames = batch.target.shape[1]
    assert not batch.target.any() and batch.context.shape == (5, frames, 128) and frames % 2 == 0
    for lesson, source in zip(batch.lessons, halves(batch)[0], strict=True):
        assert lesson.clocked and lesson.first % 2 == 0
        assert torch.equal(source, networks.silence[0, lesson.first : lesson.first + frames])
    assert (batch.context[..., 64:] == 1).all() and (batch.weight == 1).all()


def test_shortened_lyrics_hold_all_that_is_sung_in_the_window(writer, networks, rng):
    teacher, cut = Teacher(None, writer, networks, rng), 0
    for lesson in (teacher._plan_lesson() for _ in range(60)):
        tokens = teacher._lyrics(lesson)
        whole = writer.tokens(prompts.lyric_prompt(lesson.prompt.lyrics, lesson.prompt.vocal_language))
        last_beat = (lesson.first + len(lesson.target)) / 25 / lesson.piece.beat
        needed = min(LYRIC_HEADER + int(np.ceil(last_beat)), len(whole))
        assert tokens[:needed] == whole[:needed] and tokens[-2:] == whole[-2:]
        cut += len(tokens) < len(whole)
    assert cut > 10


def test_tasks_are_drawn_by_their_share(teacher):
    tasks = [lesson.task for lesson in teacher.draw(60).lessons]
    assert sum(TASK_SHARE.values()) == pytest.approx(1)
    assert tasks.count("text2music") > 25 and len(set(tasks)) >= 5


def test_equal_seeds_draw_equal_batches(small_corpus, writer, networks):
    first, again = (
        Teacher(small_corpus, writer, networks, np.random.default_rng(8)).draw(6) for _ in range(2)
    )
    assert torch.equal(first.context, again.context) and torch.equal(first.lyrics, again.lyrics)
    assert [lesson.prompt for lesson in first.lessons] == [lesson.prompt for lesson in again.lessons]
