"""Writes a checkpoint of the published shapes with random weights, and measures what loading and rendering it takes.

    python tests/checkpoints/full_size.py write FOLDER      about 6 GB: turbo, codec and text encoder
    python tests/checkpoints/full_size.py measure FOLDER    in a fresh process; prints one JSON object

The tests do the same with a smaller `Shape`.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXT_ENCODER = "Qwen3-Embedding-0.6B"
NAME = "acestep-v15-turbo"
_DEVIATION = 0.02


@dataclass(frozen=True)
class Shape:
    """What the size of a checkpoint depends on; by default the published 2B one."""

    width: int = 2048
    layers: int = 24
    lyric_layers: int = 8
    timbre_layers: int = 4
    pooler_layers: int = 2
    text_width: int = 1024
    text_layers: int = 28
    vocabulary: int = 151_669
    codec_channels: int = 128
    codec_multiples: tuple[int, ...] = (1, 2, 4, 8, 16)
    silence: int = 15_000

    def config(self) -> dict[str, Any]:
        """The `config.json` of the renderer."""
        return {
            "model_type": "acestep", "model_version": "turbo", "is_turbo": True,
            "hidden_size": self.width, "intermediate_size": 3 * self.width, "num_hidden_layers": self.layers,
            "num_attention_heads": self.width // 128, "num_key_value_heads": self.width // 256, "head_dim": 128,
            "in_channels": 192, "audio_acoustic_hidden_dim": 64, "patch_size": 2, "rope_theta": 1e6,
            "sliding_window": 128, "use_sliding_window": True, "rms_norm_eps": 1e-6,
            "attention_bias": False, "attention_dropout": 0.0, "max_position_embeddings": 32768,
            "text_hidden_dim": self.text_width, "timbre_hidden_dim": 64, "timbre_fix_frame": 750,
            "num_lyric_encoder_hidden_layers": self.lyric_layers,
            "num_timbre_encoder_hidden_layers": self.timbre_layers,
            "num_attention_pooler_hidden_layers": self.pooler_layers, "pool_window_size": 5,
            "num_audio_decoder_hidden_layers": 24, "vocab_size": 64003,
            "fsq_dim": self.width, "fsq_input_levels": [8, 8, 8, 5, 5, 5], "fsq_input_num_quantizers": 1,
        }  # fmt: skip


SMALL = Shape(1024, 6, 3, 2, 1, 512, 4, 2000, 8, (1, 1, 1, 1, 1), 1500)
"""About 0.4 GB: large enough for its weights to stand out from everything else in memory."""


def xl_config() -> dict[str, Any]:
    """The `config.json` of the large size."""
    large = {
        "model_version": "xl_turbo",
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 32,
    }
    encoder = {"encoder_hidden_size": 2048, "encoder_intermediate_size": 6144}
    heads = {"num_attention_heads": 32, "encoder_num_attention_heads": 16, "encoder_num_key_value_heads": 8}
    return Shape().config() | large | encoder | heads


def tensors(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name, as published, and shape of every tensor of a renderer with this config."""
    from published import old_name

    from acestep_nb.checkpoints import original

    for component, cls in original.CLASSES.items():
        network = original._empty(cls, original._fields(component, config))
        for key, tensor in network.state_dict().items():
            if key != original.SILENCE:
                yield old_name(component, key), tuple(tensor.shape)


def write(place: Path, shape: Shape, tokenizer: Path) -> int:
    """Write renderer, codec and text encoder side by side; gives the bytes of their weights."""
    import torch
    from diffusers import AutoencoderOobleck
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    folder = place / NAME
    written = [_weights(folder / "model.safetensors", list(tensors(shape.config())))]
    (folder / "config.json").write_text(json.dumps(shape.config()))
    torch.save(torch.randn(1, 64, shape.silence, dtype=torch.bfloat16), folder / "silence_latent.pt")
    width = shape.text_width
    text = Qwen3Config(
        vocab_size=shape.vocabulary, hidden_size=width, intermediate_size=3 * width, head_dim=128,
        num_hidden_layers=shape.text_layers, num_attention_heads=width // 64, num_key_value_heads=width // 128,
    )  # fmt: skip
    codec: dict[str, Any] = {
        "encoder_hidden_size": 128, "decoder_channels": shape.codec_channels, "decoder_input_channels": 64,
        "downsampling_ratios": [2, 4, 4, 6, 10], "channel_multiples": list(shape.codec_multiples),
        "sampling_rate": 48_000,
    }  # fmt: skip
    with torch.device("meta"):
        networks = {TEXT_ENCODER: Qwen3Model(text), "vae": AutoencoderOobleck(**codec)}
    files = {TEXT_ENCODER: "model.safetensors", "vae": "diffusion_pytorch_model.safetensors"}
    for name, network in networks.items():
        shapes = [(key, tuple(tensor.shape)) for key, tensor in network.state_dict().items()]
        written.append(_weights(place / name / files[name], shapes))
        network.config.save_pretrained(place / name) if name != "vae" else network.save_config(place / name)
    for file in tokenizer.iterdir():
        (place / TEXT_ENCODER / file.name).write_bytes(file.read_bytes())
    return sum(written)


def _weights(file: Path, shapes: list[tuple[str, tuple[int, ...]]]) -> int:
    """A safetensors file of random bfloat16 numbers, one tensor in memory at a time; gives its bytes."""
    import torch

    header, end = {}, 0
    for name, shape in shapes:
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes:
            whole = name.endswith(
                ("norm.weight", "norm_q.weight", "q_norm.weight", "k_norm.weight", "weight_g")
            )
            made = torch.ones(shape) if whole else torch.randn(shape) * _DEVIATION
            out.write(made.to(torch.bfloat16).view(torch.int16).numpy().tobytes())
    return file.stat().st_size


def measure(
    place: Path, dtype: str = "bfloat16", int8: bool = False, steps: int | None = None
) -> dict[str, Any]:
    """Peak memory of loading and of a render of five seconds, and what is left after each was freed (bytes)."""
    import psutil

    from acestep_nb import Engine, RenderOptions, Song
    from acestep_nb.bench.memory import peak_bytes

    process, folder = psutil.Process(), place / NAME
    song, options = (
        Song(caption="piano ballad", lyrics="[Verse]\nla la la"),
        RenderOptions(inference_steps=steps),
    )
    # the libraries, and what they make on first use, are there before
    small = Engine.load("nano", device="cpu", planner=False)
    small.generate(song, codes=range(25), seeds=[1], options=RenderOptions(inference_steps=1))
    small.free()
    size = sum(file.stat().st_size for file in place.rglob("*.safetensors"))
    before = process.memory_info().rss
    found: dict[str, Any] = {"size": size, "before": before, "dtype": dtype, "int8": int8}
    for turn in ("first", "second"):
        began = time.perf_counter()
        engine = Engine.load(folder, device="cpu", dtype=dtype, planner=False, int8=int8)
        loaded = time.perf_counter()
        own = {"load_seconds": loaded - began, "loaded": process.memory_info().rss - before}
        own["load_peak"] = peak_bytes() - before
        if turn == "first":
            take = engine.generate(song, codes=range(25), seeds=[1], options=options)[0]
            own |= {"render_seconds": time.perf_counter() - loaded, "seconds": take.duration, **take.timings}
        engine.free()
        own |= {"peak": peak_bytes() - before, "after": process.memory_info().rss - before}
        own["ratio"] = own["load_peak"] / size
        found[turn] = own
    return found


if __name__ == "__main__":
    command, where, *more = sys.argv[1:]
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    if command == "write":
        import conftest

        conftest.BUILDERS["tokenizer"]().save_pretrained(Path(where) / "tokenizer")
        print(write(Path(where), Shape(), Path(where) / "tokenizer"))
    else:
        told = dict(word.split("=") for word in more)
        steps = int(told["steps"]) if "steps" in told else None
        print(json.dumps(measure(Path(where), told.get("dtype", "bfloat16"), "int8" in told, steps)))
