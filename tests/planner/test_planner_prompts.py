"""The planner's prompts: every recorded one to the letter, and what it cannot read."""

import golden
import pytest
from helpers_planner import word_tokenizer

from acestep_nb.codes import codes_in
from acestep_nb.errors import CheckpointError, InputError
from acestep_nb.planner import prompts

PROMPTS = "functions/prompts.json"


def of_song(caption, lyrics, cot):
    """Every prompt that is made of a song, by its recorded name."""
    return {
        "cond_cot_phase": prompts.plan_messages(caption, lyrics),
        "uncond_cot_phase": prompts.plan_negative(lyrics),
        "uncond_cot_phase_negprompt": prompts.plan_negative(lyrics, "noise"),
        "cond_codes_phase": prompts.codes_messages(caption, lyrics, cot),
        "uncond_codes_phase": prompts.codes_negative(caption, lyrics),
        "uncond_codes_phase_negprompt": prompts.codes_negative(caption, lyrics, "noise"),
        "format_mode": prompts.format_messages(caption, lyrics),
        "format_mode_uncond": prompts.messages("format", prompts.NO_INPUT),
    }


@pytest.mark.parametrize("case", golden.cases(PROMPTS, "lm"))
def test_prompts_of_a_song(case, tokenizer):
    made = of_song(case["caption"], case["lyrics"], case["cot"])
    assert set(made) == set(case) - {"caption", "lyrics", "cot", "messages"}
    assert {name: prompts.rendered(tokenizer, talk) for name, talk in made.items()} == {
        name: case[name] for name in made
    }
    for name, asked in case["messages"].items():
        assert made[name] == asked["messages"]


@pytest.mark.parametrize("case", golden.cases(PROMPTS, "understanding"))
def test_prompts_of_codes(case, tokenizer):
    talk = prompts.understand_messages(codes_in(case["audio_codes"]))
    assert prompts.rendered(tokenizer, talk) == case["prompt"]
    assert prompts.rendered(tokenizer, prompts.understand_messages(())) == case["uncond"]


@pytest.mark.parametrize("case", golden.cases(PROMPTS, "inspiration"))
def test_prompts_of_a_wish(case, tokenizer):
    talk = prompts.create_messages(case["query"], case["instrumental"])
    assert prompts.rendered(tokenizer, talk) == case["prompt"]
    blank = prompts.messages("create", prompts.NO_INPUT)
    assert prompts.rendered(tokenizer, blank) == case["uncond"]


def test_no_wish_is_said_so():
    assert prompts.create_messages(" ", True)[1]["content"] == "NO USER INPUT\n\ninstrumental: true"


@pytest.mark.parametrize("negative", ["", "  ", prompts.NO_INPUT])
def test_a_negative_prompt_that_means_nothing(negative):
    assert prompts.plan_negative("la", negative) == prompts.plan_negative("la")
    assert prompts.codes_negative("pop", "la", negative) == prompts.codes_negative("pop", "la")


def test_tokens_are_those_of_the_text(tokenizer):
    talk = prompts.plan_messages("calm piano", "la")
    assert tokenizer.decode(prompts.encoded(tokenizer, talk)) == prompts.rendered(tokenizer, talk)


def test_a_tokenizer_without_a_template():
    with pytest.raises(CheckpointError, match="chat template"):
        prompts.rendered(word_tokenizer("la"), prompts.plan_messages("", "la"))


@pytest.mark.parametrize("word", ["<|im_end|>", "</think>", "<|audio_code_5|>"])
def test_words_that_would_end_the_turn(word, tokenizer):
    with pytest.raises(InputError, match="lyrics") as caught:
        prompts.require_readable(tokenizer, {"caption": "a <b>bold</b> song", "lyrics": f"la {word} la"})
    assert (caught.value.field, caught.value.value) == ("lyrics", word)


def test_words_that_the_vocabulary_lacks():
    with pytest.raises(InputError, match="夜") as caught:
        prompts.require_readable(word_tokenizer("la li"), {"caption": "la", "lyrics": "la 夜 li"})
    assert caught.value.field == "lyrics"


def test_any_words_in_any_script(tokenizer):
    prompts.require_readable(tokenizer, {"lyrics": "[Verse]\n夜の星 <3 ñ 🎵 |> <| < im_end >" * 100})
