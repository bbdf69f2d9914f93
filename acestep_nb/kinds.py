"""The kinds of checkpoint there are: what each was trained for, and how it is rendered by default."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

TASKS = ("text2music", "cover", "repaint", "lego", "extract", "complete")
"""Everything that a renderer can be asked to do."""
COMMON_TASKS = ("text2music", "cover", "repaint")
"""What every released checkpoint was trained for."""


@dataclass(frozen=True)
class Kind:
    """Plain facts about a checkpoint; `inference_steps`, `shift` and `guidance_scale` are its defaults.

    A turbo checkpoint has guidance distilled into its weights: none is to be added. One that is `continuous`
    was trained for any shift from 1 to 5 instead of three tables. `xl` is the large size.
    """

    name: str
    is_turbo: bool
    inference_steps: int
    shift: float
    guidance_scale: float
    tasks: tuple[str, ...] = COMMON_TASKS
    continuous: bool = False
    xl: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("turbo", is_turbo=True, inference_steps=8, shift=3.0, guidance_scale=1.0),
        Kind("turbo-continuous", True, inference_steps=8, shift=3.0, guidance_scale=1.0, continuous=True),
        Kind("sft", is_turbo=False, inference_steps=50, shift=1.0, guidance_scale=7.0),
        Kind("base", is_turbo=False, inference_steps=50, shift=1.0, guidance_scale=7.0, tasks=TASKS),
    )
}


def kind_of(name: str, model_version: str, is_turbo: bool, xl: bool = False) -> Kind:
    """The kind of a checkpoint from its folder's name, its config's version text and its turbo flag.

    The flag decides about turbo, since the text may say anything; name and text tell the rest: `continuous`,
    `sft`, `shift1` (distilled for that shift alone).
    """
    words = re.split(r"[^a-z0-9]+", f"{name} {model_version}".lower())
    if is_turbo:
        kind = KINDS["turbo-continuous" if "continuous" in words else "turbo"]
    else:
        kind = KINDS["sft" if "sft" in words else "base"]
    if is_turbo and "shift1" in words:
        kind = replace(kind, shift=1.0)
    return replace(kind, xl=xl)
