"""What the renderer is asked for: conditions, seeds and, when a source is reworked, the source itself."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from acestep_nb.renderer.conditions import Condition
from acestep_nb.seeds import Seeds


@dataclass(frozen=True)
class Kept:
    """The part of a source that stays as it is: what lies outside the region of a repaint.

    `latents` are those of the whole source, `[take, frame, 64]`, nothing silenced; `mask` is bool
    `[take, frame]`, True where they stay. For the first `injection_ratio` (0–1) of the steps they are put back,
    noised to the level of the step; at the end they are blended in over `crossfade_frames` frames outside each
    edge of the region (0: no blend).
    """

    latents: Tensor
    mask: Tensor
    injection_ratio: float = 0.5
    crossfade_frames: int = 12


@dataclass(frozen=True)
class Request:
    """One batch for the renderer; everything has one entry per take, in the order of the seeds.

    `primary` holds for the first `int(steps * audio_cover_strength)` steps, `secondary` (the text2music
    instruction over silence) for the rest; without a secondary one the primary holds throughout. `source`
    (latents `[take, frame, 64]`, as long as the context) is where `cover_noise_strength` starts; it is needed
    only for that.
    """

    primary: Condition
    seeds: tuple[Seeds, ...]
    secondary: Condition | None = None
    source: Tensor | None = None
    kept: Kept | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about both conditions, nothing twice."""
        told = (self.primary, self.secondary)
        return tuple(dict.fromkeys(note for one in told if one is not None for note in one.notes))


@dataclass(frozen=True)
class Rendered:
    """What came out: latents float32 `[take, frame, 64]`, and what a person should know about them."""

    latents: Tensor
    notes: tuple[str, ...] = ()
