import golden
import pytest
import torch

from acestep_nb.knobs import knob
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.guidance import adg, apg, cfg, guided, with_momentum

FILE = "functions/guidance.safetensors"
SCALE = golden.document("functions/guidance.json")["apg"]["guidance_scale"]


@pytest.fixture
def recorded():
    return golden.tensors(FILE)


def test_recorded_apg_with_momentum(recorded):
    average, steps = None, sum(name.startswith("apg.step") and name.endswith(".out") for name in recorded)
    assert steps > 1
    for step in range(steps):
        run = {
            part: recorded[f"apg.step{step}.{part}"] for part in ("cond", "uncond", "out", "running_average")
        }
        found, average = guided("apg", run["cond"], 1.0, run["cond"], run["uncond"], SCALE, average)
        assert torch.allclose(found, run["out"], atol=1e-5)
        assert torch.allclose(average, run["running_average"], atol=1e-5)


@pytest.mark.parametrize(("out", "dim"), [("apg_nomom.out", 1), ("apg_nomom_lastdim.out", -1)])
def test_recorded_apg_without_momentum(recorded, out, dim):
    cond, uncond = recorded["apg_nomom.cond"], recorded["apg_nomom.uncond"]
    assert torch.allclose(apg(cond, with_momentum(cond - uncond, None), SCALE, dim), recorded[out], atol=1e-5)


def test_recorded_cfg(recorded):
    cond, uncond = recorded["apg_nomom.cond"], recorded["apg_nomom.uncond"]
    assert torch.allclose(cfg(cond, uncond, SCALE), recorded["cfg.out"], atol=1e-5)


@pytest.mark.parametrize(
    ("method", "out"), [("adg", "out"), ("adg_w_norm", "out_wnorm"), ("adg_wo_clip", "out_noclip")]
)
@pytest.mark.parametrize("case", golden.cases("functions/guidance.json", "adg"))
def test_recorded_adg(recorded, case, method, out):
    run = {part: recorded[f"adg{case['index']}.{part}"] for part in ("latents", "cond", "uncond", out)}
    found = adg(run["latents"], case["sigma"], run["cond"], run["uncond"], case["guidance_scale"], method)
    assert torch.allclose(found, run[out], atol=1e-4)


@pytest.mark.parametrize("method", knob(RenderOptions, "guidance").choices)
def test_without_a_difference_every_method_follows_the_words(method):
    torch.manual_seed(0)
    x, words = torch.randn(2, 2, 9, 4).unbind()
    found, _ = guided(method, x, 0.7, words, words.clone(), 7.0, None)
    assert torch.allclose(found, words, atol=2e-2)


def test_apg_adds_only_what_is_perpendicular():
    torch.manual_seed(0)
    words, null = torch.randn(2, 2, 9, 4).unbind()
    added = apg(words, words - null, 7.0) - words
    assert torch.allclose((added * words).sum(1), torch.zeros(2, 4), atol=1e-4) and added.abs().max() > 0.1
