"""What a take tells of the adapters that were at work."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_nb.knobs import Knob

SCALE = Knob("Scale", "How strongly the adapter works; 0 is off.", minimum=0, maximum=1, step=0.05)


@dataclass(frozen=True)
class AdapterUse:
    """One adapter at work: its name, its scale (0–1), the hash of its files, and what loads it again.

    `source` is a folder or a name on the hub; empty where there is neither, as in previews of a training.
    """

    name: str
    scale: float
    hash: str
    source: str = ""
