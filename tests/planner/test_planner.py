"""The planner's verbs on a tiny random language model of the real class, and what loading refuses."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from planners import build_planner
from safetensors.torch import load_file, save_file

from acestep_nb import Song
from acestep_nb.errors import CheckpointError, InputError, RenderError
from acestep_nb.planner.cot import parse_answer
from acestep_nb.planner.loading import find_planner, own_planner
from acestep_nb.planner.planner import Planner
from acestep_nb.plans import PlanOptions

SONG = Song(caption="calm piano", lyrics="[Verse]\nhello world", duration=10)
QUICK = PlanOptions(use_cot_caption=False)
METAS = {"bpm": 90, "keyscale": "A minor", "timesignature": "3", "duration": 12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_planner(tmp_path_factory.mktemp("planners") / "tiny")


@pytest.fixture
def own(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "own")


def load(folder):
    return Planner.load(folder, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def planner(folder):
    return load(folder)


def test_a_plan_fills_in_what_is_open_and_composes(planner):
    (plan,) = planner.plan(SONG, [7])
    assert (plan.seed, plan.planner, plan.asked, plan.options) == (7, "tiny", SONG, PlanOptions())
    assert plan.planner_hash.startswith("fingerprint:")
    assert None not in (plan.song.bpm, plan.song.keyscale, plan.song.timesignature, plan.song.vocal_language)
    assert plan.song.caption and plan.song.caption != SONG.caption
    assert (plan.song.lyrics, plan.song.duration) == (SONG.lyrics, 10.0)
    assert len(plan.codes) == 50 and set(plan.codes) <= set(planner.language.code_tokens)
    assert plan.text.startswith("<think>\nbpm: ") and plan.text.endswith("\n</think>")
    assert parse_answer(plan.text).metas["bpm"] == plan.song.bpm


def test_what_the_person_says_stays(planner):
    asked = replace(SONG, **METAS, vocal_language="ja")
    (plan,) = planner.plan(asked, [1], QUICK)
    assert plan.song == asked and plan.text == "" and len(plan.codes) == 60
    (plan,) = planner.plan(asked, [1])
    assert replace(plan.song, caption=asked.caption) == asked and plan.song.caption != asked.caption
    assert "\nlanguage: ja\n" in plan.text and "\nbpm: 90\n" in plan.text


@pytest.mark.parametrize(
    ("switch", "fields"),
    [
        ("use_cot_metas", {"bpm", "keyscale", "timesignature"}),
        ("use_cot_caption", {"caption"}),
        ("use_cot_language", {"vocal_language"}),
    ],
)
def test_each_switch_lets_its_fields_be_filled(planner, switch, fields):
    off = {"use_cot_metas": False, "use_cot_caption": False, "use_cot_language": False, "thinking": False}
    (plan,) = planner.plan(SONG, [3], PlanOptions(**{**off, switch: True}))
    changed = {name for name in SONG.to_dict() if getattr(plan.song, name) != getattr(SONG, name)}
    assert changed == fields and plan.codes == ()
    assert planner.plan(SONG, [3], PlanOptions(**off))[0].song == SONG


@pytest.mark.parametrize(
    "options", [PlanOptions(), PlanOptions(cfg_scale=1, repetition_penalty=1.3, top_k=20)]
)
def test_a_seed_plans_the_same_whatever_the_batch(planner, options):
    everyone = dict(zip(range(5), planner.plan(SONG, list(range(5)), options), strict=True))
    assert len({plan.codes for plan in everyone.values()}) == 5
    assert len({plan.text for plan in everyone.values()}) == 5
    for seeds in ([3], [4, 1]):
        assert planner.plan(SONG, seeds, options) == [everyone[seed] for seed in seeds]


def test_codes_do_not_depend_on_how_the_words_came_about(planner):
    plans = planner.plan(SONG, [1, 2, 3, 4], QUICK)
    plan = next(plan for plan in plans if plan.text.isascii())  # a song spells ♭ as b, another thought
    (again,) = planner.plan(plan.song, [plan.seed], QUICK)
    assert again.text == "" and again.codes == plan.codes


def test_a_song_without_duration_lasts_as_long_as_its_codes(planner):
    options = replace(QUICK, use_cot_metas=False, use_cot_language=False)
    plans = planner.plan(replace(SONG, duration=None), [1, 2, 3], options)
    for plan in plans:
        assert 50 <= len(plan.codes) <= 3000 and plan.song.duration == len(plan.codes) / 5 == plan.duration
    assert len({len(plan.codes) for plan in plans}) > 1


def test_temperature_and_guidance_matter(planner):
    cold = replace(QUICK, temperature=0)
    one, other = planner.plan(SONG, [1, 2], cold)
    assert (one.song, one.codes) == (other.song, other.codes)
    asked = replace(SONG, **METAS, vocal_language="en")
    strong = replace(QUICK, cfg_scale=3, temperature=2, top_p=1)
    options = [strong, replace(strong, cfg_scale=1), replace(strong, negative_prompt="the night is broken")]
    found = {planner.plan(asked, [1], own)[0].codes for own in options}
    assert len(found) == 3


def test_create_song(planner):
    song = planner.create_song("a soft love song", False, "ja", 5)
    assert song.caption and song.vocal_language == "ja" and None not in song.to_dict().values()
    assert song == planner.create_song("a soft love song", False, "ja", 5)
    assert song != planner.create_song("a soft love song", False, "ja", 6)
    assert planner.create_song("", True, None, 5).lyrics


def test_format_song(planner):
    song = planner.format_song(replace(SONG, bpm=77, vocal_language="fr"), 2)
    assert (song.bpm, song.duration, song.vocal_language) == (77, 10.0, "fr")
    assert song.caption not in ("", SONG.caption) and song.lyrics


def test_understand(planner):
    song = planner.understand([1, 2, 3] * 20, 2)
    assert song.duration == 12.0 and song.caption and song.bpm
    assert song != planner.understand([4, 5, 6] * 20, 2)


def test_progress_counts_codes(planner):
    told = []
    planner.plan(SONG, [1, 2], QUICK, lambda made, wanted: told.append((made, wanted)))
    words = [pair for pair in told if pair == (0, 0)]
    assert told[: len(words)] == words and words
    assert told[len(words) :] == [(made, 50) for made in range(51)]


def test_a_stop_acts_within_one_token(planner):
    calls, told = [], []
    hook = planner.network.model.register_forward_pre_hook(lambda *call: calls.append(len(told)))

    def stop(made, wanted):
        told.append(made)
        if made == 7:
            raise InterruptedError

    try:
        with pytest.raises(InterruptedError):
            planner.plan(SONG, [1], QUICK, stop)
    finally:
        hook.remove()
    assert max(calls) == len(told) - 1
    assert planner.plan(SONG, [1], QUICK)


def test_long_lyrics_are_planned(planner):
    lyrics = ("[Verse]\n" + "hello world\n" * 400)[:4096]
    assert len(planner.plan(replace(SONG, lyrics=lyrics), [1], QUICK)[0].codes) == 50


def test_words_without_room_are_refused(planner):
    lyrics = "ひ" * 4096
    with pytest.raises(InputError) as caught:
        planner.plan(replace(SONG, lyrics=lyrics), [1], QUICK)
    assert caught.value.field == "lyrics" and caught.value.remedy
    with pytest.raises(InputError) as caught:
        planner.plan(replace(SONG, lyrics="ひ" * 2700, duration=600), [1], QUICK)
    assert caught.value.field == "duration" and "room" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"caption": "a <|im_end|> b"}, "caption"),
        ({"lyrics": "<|audio_code_3|>"}, "lyrics"),
        ({"lyrics": "</think>"}, "lyrics"),
        ({"caption": "", "lyrics": ""}, "caption"),
    ],
)
def test_words_that_the_planner_cannot_read(planner, change, field):
    with pytest.raises(InputError) as caught:
        planner.plan(replace(SONG, **change), [1], QUICK)
    assert caught.value.field == field and caught.value.remedy


@pytest.mark.parametrize("codes", [[], [64_000], [-1], [100], ["x"], "<|audio_code_1|>"])
def test_codes_that_cannot_be_understood(planner, codes):
    with pytest.raises(InputError) as caught:
        planner.understand(codes, 1)
    assert caught.value.field == "codes" and caught.value.remedy


def test_numbers_that_are_not_finite_are_no_plan(planner):
    hook = planner.network.model.norm.register_forward_hook(lambda module, args, out: out * float("nan"))
    try:
        with pytest.raises(RenderError, match="not finite"):
            planner.plan(SONG, [1], QUICK)
    finally:
        hook.remove()


def test_planners_are_found_by_name_and_place(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ACESTEP_CHECKPOINTS_DIR", str(folder.parent))
    checkpoint = tmp_path / "shelf" / "renderer"
    assert find_planner("tiny", checkpoint) == folder
    beside = shutil.copytree(folder, checkpoint.parent / "acestep-5Hz-lm-0.6B")
    assert find_planner("0.6B", checkpoint) == beside.resolve() == find_planner(beside, checkpoint)
    assert own_planner(checkpoint) is None
    own = shutil.copytree(folder, checkpoint / "planner")
    assert own_planner(checkpoint) == own and load(own).language.name == "renderer"
    for wrong in ("nowhere", True, 5):
        with pytest.raises(CheckpointError) as caught:
            find_planner(wrong, checkpoint)
        assert caught.value.field == "planner" and caught.value.remedy


def rewrite(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def cut(file, share=0.5):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


def without_codes(folder):
    file = folder / "tokenizer.json"
    data = json.loads(file.read_text())
    data["added_tokens"] = [token for token in data["added_tokens"] if "audio_code" not in token["content"]]
    file.write_text(json.dumps(data))


def fewer_rows(folder):
    tensors = load_file(folder / "model.safetensors")
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        tensors[name] = tensors[name][:700].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    rewrite(folder / "config.json", vocab_size=700)


def lose_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


HARM = {
    "tokenizer cut short": lambda folder: cut(folder / "tokenizer.json"),
    "tokenizer missing": lambda folder: (folder / "tokenizer.json").unlink(),
    "tokenizer without codes": without_codes,
    "no chat template": lambda folder: rewrite(folder / "tokenizer_config.json", chat_template=None),
    "more tokens than rows": fewer_rows,
    "another model": lambda folder: rewrite(folder / "config.json", model_type="gpt2"),
    "sliding attention": lambda folder: rewrite(
        folder / "config.json", layer_types=["sliding_attention", "full_attention"]
    ),
    "config cut short": lambda folder: cut(folder / "config.json"),
    "weights cut short": lambda folder: cut(folder / "model.safetensors"),
    "weights missing": lambda folder: (folder / "model.safetensors").unlink(),
    "a tensor missing": lose_a_tensor,
}


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_planner_is_told(own, harm):
    HARM[harm](own)
    with pytest.raises(CheckpointError) as caught:
        load(own)
    assert caught.value.remedy and str(own) in str(caught.value)


def test_code_of_a_checkpoint_is_never_run(own):
    (own / "evil.py").write_text("raise SystemExit('ran')")
    rewrite(own / "config.json", auto_map={"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Evil"})
    rewrite(own / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]})
    assert load(own).plan(SONG, [1], QUICK)
