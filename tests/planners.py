"""A tiny planner with random weights, of the real class and with the recorded tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

import golden


def build_planner(folder: Path) -> Path:
    """A planner's folder (about 1 MB) that writes noise, but ends its lines and turns after some words."""
    import torch
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    shutil.copytree(golden.ROOT / "tokenizer_tiny", folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(3)
    network = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer) + 12,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=8192,
            tie_word_embeddings=False,
        )
    )
    with torch.no_grad():
        network.lm_head.weight.mul_(15)  # so that some tokens are likelier than others
        network.model.embed_tokens.weight.mul_(50)
        network.model.embed_tokens.weight[:, 0] = 2.0  # a channel that stays positive, whatever is read
        for layer in network.model.layers:
            layer.self_attn.o_proj.weight.mul_(10)
            layer.self_attn.o_proj.weight[0] = layer.mlp.down_proj.weight[0] = 0.0
        for token in (*tokenizer.encode("\n", add_special_tokens=False), tokenizer.eos_token_id):
            network.lm_head.weight[token, 0] = 1.5
    network.save_pretrained(folder)
    return folder
