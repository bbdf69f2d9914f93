"""Trains the 5 Hz tokenizer pair: five latent frames to one code and back, rhythm and harmony kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from acestep_nb.codes import CODE_RATE, LATENT_CHANNELS, LATENT_RATE
from acestep_nb.nano.codec import BANDS, SpectralCodec, band_frequencies
from acestep_nb.nano.corpus import SECONDS, Corpus, load_corpus
from acestep_nb.nano.music import BEATS_PER_BAR, NOTES, chord_root
from acestep_nb.nano.networks import Networks, use_matmul_attention
from acestep_nb.nano.render import ROLL, roll

STEPS, RATE, WARMUP, SIZE, SPAN, SEED = 2600, 2e-3, 50, 48, 8, 1
FRAMES_PER_CODE = LATENT_RATE // CODE_RATE
REGION_HERTZ = (90, 180, 350, 700, 1300, 2500, 4500, 7500)
WEIGHTS = {"band": 1.0, "flux": 0.5, "roll": 1.0, "root": 0.15}
LOG_EVERY = 100


class Readers(nn.Module):
    """Training-only heads on the five detokenized frames of a code: onsets of each frame, chord root."""

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.outputs = [FRAMES_PER_CODE * len(ROLL), len(NOTES)]
        self.net = nn.Sequential(
            nn.Linear(FRAMES_PER_CODE * LATENT_CHANNELS, width),
            nn.SiLU(),
            nn.Linear(width, sum(self.outputs)),
        )

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of onsets `[item, code, 5 * len(ROLL)]` and chord root `[item, code, 12]`."""
        codes = latents.unflatten(1, (-1, FRAMES_PER_CODE)).flatten(2)
        onsets, root = self.net(codes).split(self.outputs, -1)
        return onsets, root


def quantize(quantizer: Any, hidden: Tensor) -> Tensor:
    """The forward pass of diffusers' FSQ with gradients passed straight through the rounding."""
    z = quantizer.project_in(hidden)
    edge = 1 + 1 / (quantizer._levels.float() - 1)
    z = (z / edge).tanh() * edge
    return quantizer.project_out(z + (quantizer._quantize(z) - z).detach())


def regions() -> Tensor:
    """Averages over ten groups of bands, the last over all: `[BANDS, 10]`."""
    group = np.digitize(band_frequencies(), REGION_HERTZ)
    table = torch.stack([torch.from_numpy(group == g).float() for g in range(9)] + [torch.ones(BANDS)], 1)
    return table / table.sum(0).clamp(min=1)


def flux(latents: Tensor, codec: SpectralCodec, table: Tensor) -> Tensor:
    """Rise of the log bands in ten regions from one 20-ms frame to the next: `[item, frame, 10]`."""
    bands = codec.unproject(latents)
    return F.relu(bands[:, 1:] - bands[:, :-1]) @ table


def _plan(corpus: Corpus) -> tuple[Tensor, Tensor]:
    """Onset roll `[clip, code, 5 * len(ROLL)]` and chord root `[clip, code]` of every clip."""
    frames = int(SECONDS * LATENT_RATE)
    seconds = (np.arange(frames // FRAMES_PER_CODE) + 0.5) / CODE_RATE
    rolls = [roll(clip.piece, 0, frames).reshape(len(seconds), -1) for clip in corpus.clips]
    roots = [
        chord_root(c.piece.key, c.piece.mode, (seconds / c.piece.beat // BEATS_PER_BAR).astype(int))
        for c in corpus.clips
    ]
    return torch.from_numpy(np.stack(rolls)), torch.from_numpy(np.stack(roots))


def train_tokens(folder: Path) -> None:
    """Writes `tokens.safetensors` and `tokens.jsonl` into `folder`, from its corpus."""
    target = folder / "tokens.safetensors"
    if target.exists():
        return
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    codec, table = SpectralCodec.from_pretrained(folder / "corpus" / "codec"), regions()
    corpus = load_corpus(folder / "corpus", 0, 4)
    rolls, roots = _plan(corpus)
    latents = corpus.latents["mix"].unflatten(1, (-1, FRAMES_PER_CODE))
    networks, readers = Networks(), Readers()
    use_matmul_attention(networks)
    pair = nn.ModuleDict(
        {
            "audio_tokenizer": networks.audio_tokenizer,
            "audio_token_detokenizer": networks.audio_token_detokenizer,
        }
    )
    parameters = [*pair.parameters(), *readers.parameters()]
    optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    weight = codec.synthesis.square().sum(1)
    weight = weight / weight.mean()
    record: dict[str, list[float]] = {}
    started = time.time()
    for step in range(1, STEPS + 1):
        clips = torch.from_numpy(rng.integers(0, len(corpus), SIZE))[:, None]
        starts = torch.from_numpy(rng.integers(0, latents.shape[1] - SPAN + 1, SIZE))[:, None]
        codes = starts + torch.arange(SPAN)
        x = latents[clips, codes].float()
        terms = _losses(pair, readers, codec, table, weight, x, rolls[clips, codes], roots[clips, codes])
        sum(WEIGHTS[name] * term for name, term in terms.items()).backward()  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, step / WARMUP, 2 * (1 - step / STEPS) + 0.02)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for name, term in terms.items():
            record.setdefault(name, []).append(float(term.detach()))
        if step % LOG_EVERY == 0:
            line: dict[str, float] = {"step": step, "seconds": round(time.time() - started)}
            line |= {name: round(float(np.mean(values)), 4) for name, values in record.items()}
            with (folder / "tokens.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            record.clear()
    save_file({k: v.contiguous() for k, v in pair.state_dict().items()}, target)


def _losses(pair: Any, readers: Readers, codec: SpectralCodec, table: Tensor, weight: Tensor,
            x: Tensor, rolls: Tensor, roots: Tensor) -> dict[str, Tensor]:  # fmt: skip
    tokenizer = pair["audio_tokenizer"]
    hidden = tokenizer.attention_pooler(tokenizer.audio_acoustic_proj(x))
    y = pair["audio_token_detokenizer"](quantize(tokenizer.quantizer, hidden))
    x = x.flatten(1, 2)
    wanted = flux(x, codec, table)
    onsets, root = readers(y)
    return {
        "band": ((y - x).square() * weight).mean(),
        "flux": ((flux(y, codec, table) - wanted).square().mean((0, 1)) / (wanted.var((0, 1)) + 1e-4)).mean(),
        "roll": F.binary_cross_entropy_with_logits(onsets, rolls),
        "root": F.cross_entropy(root.flatten(0, 1), roots.flatten()),
    }
