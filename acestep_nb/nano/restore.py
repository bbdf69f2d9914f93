"""Takes training up again from a checkpoint folder, where the unfinished work of the first training is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from acestep_nb.nano.export import COMPONENTS
from acestep_nb.nano.heads import Heads
from acestep_nb.nano.networks import Networks
from acestep_nb.nano.tokenizer import class_names, classes
from acestep_nb.nano.train import STAGES, trainer_of

HEADS = "training/heads.safetensors"
PLANNED = "plan"


def networks_of(checkpoint: Path) -> Networks:
    """The networks that `export` wrote, with one embedding row a class again."""
    networks = Networks()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint / "tokenizer")
    for name in COMPONENTS:
        (file,) = (checkpoint / name).glob("*.safetensors")
        weights = {key: value.float() for key, value in load_file(file).items()}
        if name == "text_encoder":
            first = np.unique(classes(tokenizer), return_index=True)[1]
            assert len(first) == len(class_names()), "each class has a token"
            weights["embed_tokens.weight"] = weights["embed_tokens.weight"][torch.from_numpy(first)]
        getattr(networks, name).load_state_dict(weights)
    return networks


def save_heads(heads: Heads, checkpoint: Path) -> None:
    """Keeps the training-only heads beside the weights, in float16."""
    save_file(
        {key: value.half().contiguous() for key, value in heads.state_dict().items()}, checkpoint / HEADS
    )


def take_up(checkpoint: Path, runs: Path) -> None:
    """Fills `runs` with codec, tokenizer pair and a finished planning stage from `checkpoint`."""
    (runs / "corpus").mkdir(parents=True, exist_ok=True)
    shutil.copytree(checkpoint / "vae", runs / "corpus" / "codec", dirs_exist_ok=True)
    networks = networks_of(checkpoint)
    pair = {key: value for key, value in networks.state_dict().items() if key.startswith("audio_token")}
    save_file({key: value.contiguous() for key, value in pair.items()}, runs / "tokens.safetensors")
    trainer = trainer_of(STAGES[PLANNED], networks)
    trainer.heads.load_state_dict(
        {key: value.float() for key, value in load_file(checkpoint / HEADS).items()}
    )
    average = [p.detach() for p in trainer.parameters]
    state = {"weights": trainer.whole.state_dict(), "average": average, "step": STAGES[PLANNED].steps}
    torch.save(state, runs / f"{PLANNED}.pt")
