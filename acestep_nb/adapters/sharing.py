"""Gives an adapter away: a page that tells what it is, and the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from acestep_nb.errors import InputError, ProjectError, first_line
from acestep_nb.files import disk_errors, given_path, read_json, write_atomic

_CARD = """---
library_name: peft
pipeline_tag: text-to-audio
base_model: ACE-Step/Ace-Step1.5
tags: [lora, ace-step, music]
---

# {title}

{about}

A LoRA for ACE-Step 1.5, trained on `{base}` with rank {rank} and alpha {alpha}. {activation}

```python
from acestep_nb import Engine, Song

engine = Engine.load("{base}")
engine.adapters.load("{repo}", scale=1.0)
takes = engine.generate(Song(caption="{caption}"), seeds=[7])
```

The files are those of peft (`adapter_config.json`, `adapter_model.safetensors`) under the names of the original
networks; diffusers loads them with `pipe.load_lora_weights("{repo}", weight_name="adapter_model.safetensors")`.
"""


def card(folder: Path, repo: str, about: str = "", activation_word: str = "") -> str:
    """The page of an adapter in Markdown, for the hub's `README.md`; `folder` holds its files."""
    config_file = folder / "adapter_config.json"
    try:
        config = read_json(config_file.read_text(encoding="utf-8"))
        values = {
            "base": config["base_model_name_or_path"],
            "rank": config["r"],
            "alpha": config["lora_alpha"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Choose the folder that training wrote."
        raise InputError(
            f"{config_file} cannot be read", field="folder", value=str(folder), remedy=remedy
        ) from error
    activation = f"Its activation word is `{activation_word}`." if activation_word else ""
    return _CARD.format(
        title=repo.rsplit("/", 1)[-1].replace("-", " "),
        about=about or "A style of my own.",
        activation=activation,
        caption=f"{activation_word}, piano ballad" if activation_word else "piano ballad",
        repo=repo,
        **values,
    )


def push_to_hub(
    folder: str | Path, repo: str, *, private: bool = True, about: str = "", activation_word: str = ""
) -> str:
    """Put an adapter on the Hugging Face hub with a page about it; gives its address.

    `repo` is `owner/name`; you must be logged in (`hf auth login`). Nobody else sees it unless `private` is False.
    Raises `InputError` for a folder that holds no adapter, `ProjectError` when the hub cannot be reached or
    refuses.
    """
    from huggingface_hub import HfApi

    place = given_path(folder, "folder")
    page = card(place, repo, about, activation_word)
    with disk_errors(place, "folder"):
        write_atomic(place / "README.md", page.encode("utf-8"))
    try:
        hub = HfApi()
        hub.create_repo(repo, private=private, exist_ok=True)
        files = ["README.md", "adapter_config.json", "adapter_model.safetensors"]
        hub.upload_folder(repo_id=repo, folder_path=place, allow_patterns=files)
    except Exception as error:  # each of the hub's transports has errors of its own
        reason = first_line(error)
        raise ProjectError(
            f"{repo} cannot be put on the hub: {reason}",
            field="repo",
            value=repo,
            remedy="Check the name and the connection, and log in with: hf auth login",
        ) from error
    return f"https://huggingface.co/{repo}"
