"""Every number that the original gives for alignment, timing and the planner's opinion."""

from __future__ import annotations

import golden
import numpy as np
import pytest
import torch

from acestep_nb.checkpoints.original import load_original
from acestep_nb.renderer.conditions import Condition
from acestep_nb.scores import alignment, likelihood, lyrics, quality
from acestep_nb.scores.attention import listening, lyric_attention
from acestep_nb.scores.lrc import from_lrc, to_lrc

FUNCTIONS = "functions/alignment.safetensors"
HEADS = "custom_config"


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(golden.ROOT / "tokenizer_tiny")


@pytest.fixture(scope="module")
def judge():
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

    folder = golden.ROOT / "lm_tiny"
    network = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return network.eval(), PreTrainedTokenizerFast.from_pretrained(folder)


def recorded(name):
    return golden.tensors(FUNCTIONS)[name].numpy()


def heads_of(layers):
    return {int(layer): tuple(heads) for layer, heads in layers.items()}


def selected(case):
    attention = recorded(f"{case['name']}.attention")
    return np.stack(
        [attention[layer, head] for layer, heads in heads_of(case[HEADS]).items() for head in heads]
    )


def texts_of(tokenizer, text, start=0):
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    first = next((i for i, (a, _) in enumerate(read.offset_mapping) if a >= start), len(read.input_ids))
    return read.input_ids, first, lyrics.token_texts(text, read.offset_mapping[first:], start)


def named(prefix):
    stems = sorted({name.rpartition(".")[0] for name in golden.tensors(FUNCTIONS)})
    return [stem for stem in stems if stem.startswith(prefix)]


@pytest.mark.parametrize("stem", named("dtw"))
def test_the_cheapest_path_and_its_ties(stem):
    assert np.array_equal(alignment.warp(recorded(f"{stem}.cost")), recorded(f"{stem}.path"))


@pytest.mark.parametrize("stem", named("median"))
def test_the_median_filter(stem):
    given = recorded(f"{stem}.in")
    widths = [name for name in golden.tensors(FUNCTIONS) if name.startswith(f"{stem}.w")]
    assert widths
    for name in widths:
        assert np.array_equal(alignment.smooth(given, int(name.rpartition("w")[2])), recorded(name))


@pytest.mark.parametrize("case", golden.cases("functions/alignment.json"))
def test_the_score_of_an_alignment(case, tokenizer):
    name = case["name"]
    ids, _, texts = texts_of(tokenizer, case["lyrics"])
    assert ids == case["token_ids"]
    energy = alignment.energy(selected(case), case["medfilt_width"])
    sung = alignment.sung_tokens(texts)
    found = alignment.measure(energy, sung)
    assert np.allclose(energy, recorded(f"{name}.scorer.energy_matrix"), atol=1e-6)
    assert np.array_equal(sung, recorded(f"{name}.scorer.type_mask").astype(bool))
    assert np.array_equal(found.path, recorded(f"{name}.scorer.path_coords"))
    wanted = case["scorer"]
    assert found.coverage == pytest.approx(wanted["coverage"], abs=1e-4)
    assert found.monotonicity == pytest.approx(wanted["monotonicity"], abs=1e-4)
    assert found.confidence == pytest.approx(wanted["path_confidence"], abs=1e-4)
    assert found.score == pytest.approx(wanted["lyrics_score"], abs=2e-4)


@pytest.mark.parametrize("case", golden.cases("functions/alignment.json"))
def test_the_times_of_an_alignment(case, tokenizer):
    name, attention = case["name"], selected(case)
    how = {"subtracted": case["violence_level"], "width": case["medfilt_width"]}
    sharp = alignment.sharpen(attention, **how)
    assert np.allclose(sharp, recorded(f"{name}.calc_matrix"), atol=1e-4)
    assert np.array_equal(alignment.warp(-sharp), recorded(f"{name}.dtw_path"))

    _, _, texts = texts_of(tokenizer, case["lyrics"])
    found, _ = lyrics.aligned(texts, attention, case["total_duration_seconds"], **how)
    told = [token["text"] for token in case["tokens"]]
    assert list(texts) == told
    assert np.allclose(found.times, [(x["start"], x["end"]) for x in case["tokens"]], atol=1e-3)
    lines = lyrics.lines(found)
    assert to_lrc(lines) == case["lrc_text"]
    assert to_lrc(lines, ends=True) == case["lrc_with_end"]
    rows = lyrics.rows_of_lines(texts)
    assert [(x.text, row.stop - row.start) for x, row in zip(lines, rows, strict=True)] == [
        (x["text"], x["n_tokens"]) for x in case["sentences"]
    ]
    assert np.allclose(
        [(x.start, x.end) for x in lines], [(x["start"], x["end"]) for x in case["sentences"]], atol=1e-3
    )
    assert [line.text for line in from_lrc(case["lrc_text"])] == [line.text for line in lines]


def test_from_latents_to_scores_and_times(tokenizer):
    run = golden.document("functions/alignment_e2e.json")
    inputs = golden.tensors("functions/alignment_e2e.safetensors")
    networks = load_original(golden.ROOT / run["checkpoint"], torch.device("cpu"), torch.float32)
    text, header = run["lyric_text"], f"# Languages\n{run['vocal_language']}\n\n# Lyric\n"
    ids, first, texts = texts_of(tokenizer, text, len(header))
    assert ids == inputs["lyric_token_ids"][0].tolist()
    latents, seed = inputs["pred_latent"], run["seed"]
    drawn = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(drawn, inputs["x0_noise"])
    attention = lyric_attention(
        networks["transformer"],
        Condition(inputs["encoder_hidden_states"], inputs["context_latents"]),
        latents[0],
        (1.0, 1.0 / run["inference_steps"]),
        slice(first, first + len(texts)),
        heads_of(run["custom_layers_config"]),
    ).numpy()
    sung = alignment.sung_tokens(texts)
    planned, sounding = (alignment.measure(alignment.energy(part), sung).score for part in attention)
    assert planned == pytest.approx(run["lm_score"], abs=2e-4)
    assert sounding == pytest.approx(run["dit_score"], abs=2e-4)
    found, _ = lyrics.aligned(texts, attention[1], run["total_duration_seconds"])
    assert np.allclose(found.times, np.squeeze(run["token_times"]), atol=1e-3)
    assert to_lrc(lyrics.lines(found)) == run["lrc_text"]


def recorded_passes():
    """Passes through whole transformers whose cross attention was recorded: folder and name."""
    return [
        pytest.param(folder, name.removesuffix(".cross_attn.0"), id=f"{folder.name}-{name}")
        for folder in golden.checkpoints()
        for name in golden.tensors(f"{folder.name}/forward.safetensors")
        if name.endswith(".cross_attn.0")
    ]


@pytest.mark.parametrize(("folder", "name"), recorded_passes())
def test_every_head_of_every_layer_is_heard_as_recorded(folder, name):
    run = golden.tensors(f"{folder.name}/forward.safetensors")
    network = load_original(folder, torch.device("cpu"), torch.float32)["transformer"]
    layers, heads = len(network.layers), range(network.config.num_attention_heads)
    chosen = dict.fromkeys(range(layers), tuple(heads))
    fields = ("hidden_states", "timestep", "timestep_r", "context_latents")
    with torch.inference_mode(), listening(network, chosen, slice(None)) as heard:
        network(
            **{field: run[f"{name}.in.{field}"] for field in fields},
            encoder_hidden_states=run["condition_encoder.out"],
        )
    for layer in range(layers):
        assert torch.allclose(heard[layer].transpose(2, 3), run[f"{name}.cross_attn.{layer}"], atol=1e-5)


@pytest.mark.parametrize("case", golden.cases("functions/pmi.json", "cases"))
def test_the_planners_opinion(case, judge):
    asked = case["args"]
    wanted = quality.targets(asked["caption"], asked["lyrics"], asked["metadata"])
    prompts = {"cond": case["prompt_cond"], "uncond": case["prompt_uncond"]}
    texts = {name: wanted[name] for name in case["log_probs"]}
    told = quality.guesses(*judge, [(prompt, list(texts.values())) for prompt in prompts.values()])
    for key, found in zip(prompts, told, strict=True):
        for (name, text), guess in zip(texts.items(), found, strict=True):
            assert text == case["log_probs"][name]["target"]
            assert guess.mean == pytest.approx(case["log_probs"][name][key], abs=1e-4)
    found = quality.conditions(
        *judge,
        case["prompt_cond"],
        case["prompt_uncond"],
        wanted,
        sensitivity=case["score_scale"],
        top=case["topk"],
    )
    assert found == pytest.approx(case["scores"], abs=1e-4)
    assert likelihood.overall(found) == pytest.approx(case["global_score"], abs=1e-4)


@pytest.mark.parametrize("case", golden.cases("functions/pmi.json", "reward"))
def test_the_weighted_mean(case):
    """Without any condition the original says 0; here there is no quality then."""
    found = likelihood.overall(case["scores"])
    assert (found is None) == (not case["scores"])
    assert (found or 0.0) == pytest.approx(case["reward"], abs=1e-6)


@pytest.mark.parametrize("case", golden.cases("functions/pmi.json", "sigmoid"))
def test_the_gain_as_a_score(case):
    assert likelihood.pmi_score(case["pmi"], case["scale"]) == pytest.approx(case["score"], abs=1e-6)
