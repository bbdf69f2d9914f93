import json

import pytest

from acestep_nb.renderer import prompts


def _known(text):
    """Blank and `N/A` values are None in this program."""
    return None if str(text).strip() in ("", "N/A", "None") else text


def test_recorded_prompts(goldens):
    for case in json.loads((goldens / "prompts.json").read_text(encoding="utf-8")):
        asked = case["params"]
        tracks = asked.get("complete_track_classes") or [asked[k] for k in ("track_name",) if k in asked]
        sentence = prompts.instruction(case["effective_task"], tuple(tracks))
        metas = prompts.metas(
            _known(asked["bpm"]),
            _known(asked["time_signature"]),
            _known(asked["key_scale"]),
            asked["duration"] or 30.0,
        )
        assert prompts.text_prompt(sentence, asked["caption"], metas) == case["text_prompt"]
        assert prompts.lyric_prompt(asked["lyrics"], asked["vocal_language"]) == case["lyric_prompt"]


@pytest.mark.parametrize("task", ["extract", "lego", "complete"])
def test_no_track_named(task):
    assert "the  track" not in prompts.instruction(task) and prompts.instruction(task).endswith(":")


def test_language_left_open():
    assert prompts.lyric_prompt("la", None).startswith("# Languages\nunknown\n")
