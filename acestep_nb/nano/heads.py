"""Training-only heads and losses: what the network must know inside before it can render it.

Everything about a lesson follows from its description, so every layer can be told what to compute: tempo
and key at every token after layer 1, the phase of beat and bar after 3, the chord root after 4, vowels and
the rhythm roll after 5, and the place in the lyrics on two cross-attention heads. The engine never sees the
heads; they are kept beside the weights so that training can be taken up again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from acestep_nb.codes import LATENT_RATE
from acestep_nb.nano.lessons import LYRIC_HEADER, Batch, Lesson
from acestep_nb.nano.music import BEATS_PER_BAR, MODES, NOTES, TEMPI, VOWELS, chord_root, sung, tempo_class
from acestep_nb.nano.networks import CONDITION_WIDTH, LAYERS, WIDTH, MatmulAttention, Networks
from acestep_nb.nano.render import ROLL, roll

TOKEN_SECONDS = 2 / LATENT_RATE
BEAT_PERIODS = (1, 4, 16, 64, 128)
SLOT_PERIODS = (4, 16, 64, 128)
WEIGHTS = {
    "flow": 1.0,
    "metas": 0.3,
    "phase": 1.0,
    "root": 0.3,
    "vowel": 0.3,
    "align": 0.2,
    "slot": 0.1,
    "roll": 2.0,
}
PLAN_WEIGHTS = dict.fromkeys(WEIGHTS, 1.0) | {"phase": 4.0, "roll": 2.0}
ROLL_POSITIVE = 2.0
IGNORED = -1


@dataclass(frozen=True)
class Targets:
    """What the heads should say, one row a lesson; IGNORED where nothing follows from the description."""

    tempo: Tensor  # [item]
    key: Tensor  # [item]
    phase: Tensor  # [item, token, 2 * len(BEAT_PERIODS)]
    root: Tensor  # [item, token]
    vowel: Tensor  # [item, token]; 0 is silence
    align: Tensor  # [item, token]: position in the lyric prompt
    roll: Tensor  # [item, token, 2 * len(ROLL)]


class Heads(nn.Module):
    """Small readers of the hidden states of `networks`, which hooks collect in `hidden`."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.metas = nn.Linear(WIDTH, len(TEMPI) + len(MODES) * len(NOTES))
        self.phase = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 2 * len(BEAT_PERIODS))
        )
        self.root = nn.Linear(WIDTH, len(NOTES))
        self.vowel = nn.Linear(WIDTH, 1 + len(VOWELS))
        self.roll = nn.Linear(WIDTH, 2 * len(ROLL))
        self.slot = nn.Linear(CONDITION_WIDTH, 2 * len(SLOT_PERIODS))
        self.hidden: dict[int, Tensor] = {}
        for i in range(LAYERS):
            networks.transformer.layers[i].register_forward_hook(self._collector(i))

    def _collector(self, layer: int) -> Callable[[nn.Module, object, Tensor], None]:
        def collect(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self.hidden[layer] = output

        return collect


def token_times(first: int, frames: int) -> np.ndarray:
    """Seconds at the centre of each transformer token of a window of `frames` that starts at frame `first`."""
    return first / LATENT_RATE + (np.arange(frames // 2) + 0.5) * TOKEN_SECONDS


def targets(lessons: list[Lesson]) -> Targets:
    """Targets of all heads, from the descriptions alone."""
    rows = [_row(lesson) for lesson in lessons]
    stacked = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    return Targets(**stacked)


def _row(lesson: Lesson) -> dict[str, np.ndarray]:
    piece, frames = lesson.piece, len(lesson.target)
    times = token_times(lesson.first, frames)
    tokens, beats = len(times), times / piece.beat
    angles = 2 * math.pi * beats[:, None] / np.array(BEAT_PERIODS)
    row = {
        "tempo": np.array(tempo_class(piece.bpm)),
        "key": np.array(piece.key * len(MODES) + MODES.index(piece.mode)),
        "phase": np.stack([np.sin(angles), np.cos(angles)], 2).reshape(tokens, -1).astype(np.float32),
        "root": chord_root(piece.key, piece.mode, (beats // BEATS_PER_BAR).astype(int)),
        "roll": roll(piece, lesson.first, frames).reshape(tokens, -1),
        "vowel": np.full(tokens, IGNORED),
        "align": np.full(tokens, IGNORED),
    }
    if lesson.sings and not lesson.null and (piece.voice or lesson.clocked):
        row["vowel"][:] = 0
        for start, end, slot in sung(piece):
            syllable = piece.slots[slot]
            row["vowel"][(times >= start) & (times < end)] = 1 + (syllable.vowel if syllable else 0)
        if piece.voice and lesson.prompt.lyrics:
            slots = beats.astype(int)
            row["align"] = np.where(slots < len(piece.slots), slots + LYRIC_HEADER, IGNORED)
    if lesson.task == "repaint":
        start, end = lesson.window
        kept = (np.arange(tokens) * 2 < start) | (np.arange(tokens) * 2 + 1 >= end)
        for name in ("vowel", "align", "root"):
            row[name][kept] = IGNORED
    return row


def losses(networks: Networks, heads: Heads, alignment: MatmulAttention, batch: Batch, t: Tensor,
           noise: Tensor, planning: bool) -> dict[str, Tensor]:  # fmt: skip
    """Every loss term of a batch at noise levels `t` `[item]`; `flow` is left out in the planning stage."""
    wanted = targets(batch.lessons)
    level = t[:, None, None]
    with torch.autocast("cpu", torch.bfloat16):
        condition, sung_hidden = networks.condition(
            batch.text, batch.lyrics, batch.text_mask, batch.lyrics_mask
        )
        null = networks.condition_encoder.null_condition_emb.to(condition.dtype)
        condition = torch.where(batch.null[:, None, None], null, condition)
        v = networks.velocity(level * noise + (1 - level) * batch.target, t, condition, batch.context).float()
        hidden = heads.hidden
        read = {
            "metas": heads.metas(hidden[0]), "phase": heads.phase(hidden[2]),
            "root": heads.root(hidden[3]), "vowel": heads.vowel(hidden[4]), "roll": heads.roll(hidden[4]),
            "slot": heads.slot(sung_hidden),
        }  # fmt: skip
    read = {name: value.float() for name, value in read.items()}
    out = {} if planning else {"flow": _flow(v - (noise - batch.target), batch.weight)}
    clocked = torch.tensor([lesson.clocked for lesson in batch.lessons])
    if clocked.any():
        out |= _clocked(read, wanted, clocked)
    if (wanted.vowel >= 0).any():
        out["vowel"] = F.cross_entropy(
            read["vowel"].flatten(0, 1), wanted.vowel.flatten(), ignore_index=IGNORED
        )
    if (wanted.align >= 0).any():
        assert alignment.probabilities is not None
        out |= _alignment(alignment.probabilities, wanted.align)
        out["slot"] = _slots(read["slot"], batch)
    return out


def _flow(error: Tensor, weight: Tensor) -> Tensor:
    return (error.square().mean(-1) * weight).sum() / weight.sum()


def _clocked(read: dict[str, Tensor], wanted: Targets, items: Tensor) -> dict[str, Tensor]:
    """Losses that hold only where the context tells the time."""
    tempo, key = read["metas"][items].transpose(1, 2).split([len(TEMPI), len(MODES) * len(NOTES)], 1)
    every = (-1, tempo.shape[2])  # each token must know them, so that it can pick its clock
    positive = torch.tensor(ROLL_POSITIVE)
    return {
        "metas": F.cross_entropy(tempo, wanted.tempo[items, None].expand(every))
        + F.cross_entropy(key, wanted.key[items, None].expand(every)),
        "phase": F.mse_loss(read["phase"][items], wanted.phase[items]),
        "root": F.cross_entropy(read["root"][items].flatten(0, 1), wanted.root[items].flatten()),
        "roll": F.binary_cross_entropy_with_logits(
            read["roll"][items], wanted.roll[items], pos_weight=positive
        ),
    }


def _alignment(probabilities: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """-log of the attention that the alignment heads pay to each beat's token; `_hit`: how often it wins."""
    told = (wanted >= 0)[:, None].expand_as(probabilities[..., 0])
    index = wanted.clamp(min=0)[:, None, :, None].expand(*probabilities.shape[:3], 1)
    right = probabilities.gather(3, index)[..., 0]
    hit = probabilities.argmax(-1) == wanted[:, None]
    return {"align": -(right[told] + 1e-5).log().mean(), "_hit": hit[told].float().mean()}


def _slots(read: Tensor, batch: Batch) -> Tensor:
    """The lyric encoder must know the beat of each token: its position after the header."""
    position = torch.arange(read.shape[1]) - LYRIC_HEADER
    angles = 2 * math.pi * position[:, None] / torch.tensor(SLOT_PERIODS)
    wanted = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)
    real = (batch.lyrics_mask > 0) & (position >= 0)
    return F.mse_loss(read[real], wanted.expand(len(read), -1, -1)[real])
