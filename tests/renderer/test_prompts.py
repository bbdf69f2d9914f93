import golden
import pytest

from acestep_nb.errors import InputError
from acestep_nb.renderer import prompts
from acestep_nb.song import DEFAULT_DURATION

FILE = "functions/prompts.json"


def _known(text):
    """Blank, zero and `N/A` values are None in this program."""
    return None if str(text).strip() in ("", "N/A", "None", "0") else text


def _tracks(task, track, classes):
    """Which of the original's two arguments names the tracks of a task; the other one it ignores."""
    return tuple(classes or ()) if task == "complete" else tuple(filter(None, [track]))


@pytest.mark.parametrize("case", golden.cases(FILE, "dit"))
def test_recorded_prompts(case):
    asked, task = case["params"], case["effective_task"]
    assert task == ("cover" if asked.get("audio_codes") else asked["task_type"])
    metas = prompts.metas(
        _known(asked["bpm"]),
        _known(asked["time_signature"]),
        _known(asked["key_scale"]),
        asked["duration"] or DEFAULT_DURATION,
    )
    caption = prompts.plain_caption(asked["caption"])
    tracks = _tracks(task, asked.get("track_name"), asked.get("complete_track_classes"))
    text = prompts.text_prompt(prompts.instruction(task, tracks), caption, metas)
    assert (text, prompts.TEXT_MAX_TOKENS) == (case["text_prompt"], case["text_max_length"])
    lyrics = prompts.lyric_prompt(asked["lyrics"], asked["vocal_language"])
    assert (lyrics, prompts.LYRICS_MAX_TOKENS) == (case["lyric_prompt"], case["lyric_max_length"])
    for line in metas.splitlines():
        name, value = line.removeprefix("- ").split(": ", 1)
        assert case["metadata_dict"].get(name, "30 seconds") == value or str(asked["bpm"]) == value
    second = case["non_cover_text_prompt"]
    assert (second is None) == (asked.get("audio_cover_strength", 1) == 1)
    if second is not None:
        assert prompts.text_prompt(prompts.instruction("text2music"), caption, metas) == second


@pytest.mark.parametrize("case", golden.cases(FILE, "instructions"))
def test_recorded_instructions(case):
    task, tracks = case["task"], _tracks(case["task"], case["track"], case["classes"])
    if task in prompts.INSTRUCTIONS:
        assert prompts.instruction(task, tracks) == case["text"]
    else:  # the original takes what it does not know for text2music; we say that we do not know it
        assert case["text"] == prompts.INSTRUCTIONS["text2music"]
        with pytest.raises(InputError, match="task must be text2music, cover"):
            prompts.instruction(task, tracks)


def test_a_caption_that_speaks_of_captions_is_one():
    for caption in ("# Caption of a song", "# Instruction", "piano\n\n# Metas"):
        assert prompts.plain_caption(caption) == caption


def test_language_left_open():
    assert prompts.lyric_prompt("la", None).startswith("# Languages\nunknown\n")
