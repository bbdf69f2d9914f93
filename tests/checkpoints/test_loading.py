import json
import shutil

import pytest
import torch
from helpers import build_oobleck
from safetensors.torch import load_file, save_file

from acestep_nb.checkpoints import write_manifest
from acestep_nb.checkpoints.loading import load
from acestep_nb.errors import CheckpointError
from acestep_nb.kinds import COMMON_TASKS, TASKS

WEIGHTS = "diffusion_pytorch_model.safetensors"


def loaded(folder, dtype=torch.float32):
    return load(folder, torch.device("cpu"), dtype)


def rewrite(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_everything_is_there(tiny_models):
    assert (tiny_models.name, str(tiny_models.device), tiny_models.dtype) == ("tiny", "cpu", torch.float32)
    assert tiny_models.is_turbo and tiny_models.audio_tokenizer is not None
    networks = (
        tiny_models.text_encoder,
        tiny_models.condition_encoder,
        tiny_models.transformer,
        tiny_models.vae,
    )
    assert not any(network.training for network in networks)


def test_loading_prints_nothing(tiny_checkpoint, capfd):
    loaded(tiny_checkpoint)
    assert capfd.readouterr() == ("", "")


def test_half_precision_files_load_as_float32(own_checkpoint, tiny_models):
    for file in own_checkpoint.glob("*/*.safetensors"):
        save_file({k: v.half() for k, v in load_file(file).items()}, file, metadata={"format": "pt"})
    models = loaded(own_checkpoint)
    for name in ("text_encoder", "condition_encoder", "transformer", "vae", "audio_tokenizer"):
        exact = getattr(tiny_models, name).state_dict()
        for key, tensor in getattr(models, name).state_dict().items():
            assert tensor.dtype == torch.float32 and torch.allclose(tensor, exact[key], rtol=1e-3, atol=1e-6)


def test_the_codec_stays_in_float32(tiny_checkpoint):
    models = loaded(tiny_checkpoint, torch.bfloat16)
    assert models.dtype == torch.bfloat16 == models.text_encoder.dtype and models.vae.dtype == torch.float32


@pytest.mark.parametrize("how", ["folder", "null", "entry"])
def test_the_audio_tokenizers_may_be_missing(own_checkpoint, how):
    for name in ("audio_tokenizer", "audio_token_detokenizer"):
        if how == "folder":
            shutil.rmtree(own_checkpoint / name)
        elif how == "null":
            rewrite(own_checkpoint / "model_index.json", **{name: [None, None]})
        else:
            index = json.loads((own_checkpoint / "model_index.json").read_text())
            del index[name]
            (own_checkpoint / "model_index.json").write_text(json.dumps(index))
    models = loaded(own_checkpoint)
    assert models.audio_tokenizer is None and models.audio_token_detokenizer is None


@pytest.mark.parametrize(
    "component", ["tokenizer", "text_encoder", "condition_encoder", "transformer", "vae"]
)
def test_a_missing_component_is_named(own_checkpoint, component):
    shutil.rmtree(own_checkpoint / component)
    with pytest.raises(CheckpointError) as caught:
        loaded(own_checkpoint)
    assert caught.value.field == component and caught.value.remedy


@pytest.mark.parametrize("length", [0, 4, 100, 5000])
def test_a_truncated_file_is_named(own_checkpoint, length):
    file = own_checkpoint / "vae" / WEIGHTS
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"vae.*damaged") as caught:
        loaded(own_checkpoint)
    assert caught.value.field == WEIGHTS and caught.value.remedy


def test_a_manifest_is_checked_before_anything_is_loaded(own_checkpoint):
    write_manifest(own_checkpoint, "own", "1")
    assert loaded(own_checkpoint).hash.startswith("sha256:")
    file = own_checkpoint / "transformer" / WEIGHTS
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="differs from the published one"):
        loaded(own_checkpoint)


@pytest.mark.parametrize(
    ("component", "class_name"),
    [("vae", "AutoencoderKL"), ("transformer", "os.system"), ("vae", ["AutoencoderOobleck"])],
)
def test_classes_that_are_not_known_are_refused(own_checkpoint, component, class_name):
    rewrite(own_checkpoint / "model_index.json", **{component: ["diffusers", class_name]})
    with pytest.raises(CheckpointError, match="not loaded") as caught:
        loaded(own_checkpoint)
    assert (caught.value.field, caught.value.value) == (component, str(class_name))


@pytest.mark.parametrize("component", ["/", "..", "../../etc", "C:\\", ""])
def test_components_lie_in_the_folder(own_checkpoint, component):
    rewrite(own_checkpoint / "model_index.json", **{component: ["diffusers", "AutoencoderOobleck"]})
    with pytest.raises(CheckpointError, match="is no component"):
        loaded(own_checkpoint)


def test_pickled_weights_are_not_loaded(own_checkpoint):
    file = own_checkpoint / "transformer" / WEIGHTS
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    with pytest.raises(CheckpointError, match="transformer"):
        loaded(own_checkpoint)


@pytest.mark.parametrize("component", ["transformer", "text_encoder"])
@pytest.mark.parametrize("harm", ["missing", "unexpected", "reshaped"])
def test_weights_must_fit_exactly(own_checkpoint, component, harm):
    file = next((own_checkpoint / component).glob("*.safetensors"))
    weights = load_file(file)
    key = sorted(weights)[0]
    if harm == "missing":
        del weights[key]
    elif harm == "unexpected":
        weights["stranger"] = torch.zeros(1)
    else:
        weights[key] = torch.zeros(3)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        loaded(own_checkpoint)
    assert component in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize("file", ["model_index.json", "transformer/config.json", "tokenizer/tokenizer.json"])
@pytest.mark.parametrize("text", ["", "{", "[1]", pytest.param("[" * 100_000, id="deep")])
def test_garbled_json_is_an_error_of_the_checkpoint(own_checkpoint, file, text):
    (own_checkpoint / file).write_text(text)
    with pytest.raises(CheckpointError):
        loaded(own_checkpoint)


def test_other_rates_are_refused(own_checkpoint):
    rewrite(own_checkpoint / "vae" / "config.json", sampling_rate=44_100)
    with pytest.raises(CheckpointError, match="sampling rate"):
        loaded(own_checkpoint)


def test_with_our_codec_every_task_was_trained(tiny_models):
    assert (tiny_models.kind.tasks, tiny_models.kind.name) == (TASKS, "turbo")


def hooks(models):
    return len(models.condition_encoder.timbre_encoder.embed_tokens._forward_hooks)


def test_the_large_size_is_known_by_its_codec_and_its_config(own_checkpoint):
    rewrite(own_checkpoint / "transformer" / "config.json", model_version="xl_turbo")
    ours = loaded(own_checkpoint)
    assert not ours.kind.xl and hooks(ours) == 0
    shutil.rmtree(own_checkpoint / "vae")
    build_oobleck().save_pretrained(own_checkpoint / "vae")
    rewrite(own_checkpoint / "model_index.json", vae=["diffusers", "AutoencoderOobleck"])
    published = loaded(own_checkpoint)
    assert published.kind.xl and published.kind.is_turbo and hooks(published) == 1
    assert published.kind.tasks == COMMON_TASKS
