"""How a sound that is there already is reworked: the task, its sources, the region, the tracks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_nb.audio import Audio
from acestep_nb.errors import InputError
from acestep_nb.kinds import TASKS
from acestep_nb.knobs import (
    Knob,
    checked_choice,
    checked_number,
    checked_switch,
    from_dict,
    knob_field,
    knobs,
    refused,
    to_dict,
)
from acestep_nb.locales import _

TRACKS = (
    "woodwinds", "brass", "fx", "synth", "strings", "percussion",
    "keyboard", "guitar", "bass", "drums", "backing_vocals", "vocals",
)  # fmt: skip
EDIT_TASKS = TASKS[1:]
ONE_TRACK = ("lego", "extract")
"""Tasks that make one track; ``complete`` makes any number."""
REGION_ADVICE = (3.0, 90.0)
"""Seconds that a region had when the models were trained; others work less well."""
REPAINT_MODES = ("conservative", "balanced", "aggressive")
LONGEST = 600.0
"""Seconds that are rendered in one piece at most."""
_REGION = Knob(
    "Region",
    "First and last second to make anew; before 0 and behind the end the sound gets longer.",
    unit="s",
    minimum=-LONGEST,
    maximum=360_000,
)
_CROSSFADE_SECONDS, _CROSSFADE_FRAMES = 0.05, 25  # of the most careful mode


@dataclass(frozen=True)
class Source:
    """Which sound was reworked: ``name`` of the take or file ("" for samples in memory) and its content.

    ``sha256`` is taken over the decoded samples and their rate, so that it is the same for every file format
    that loses nothing; ``duration`` is in seconds.
    """

    name: str
    sha256: str
    duration: float

    @classmethod
    def of(cls, audio: Audio, name: str = "") -> Source:
        """The record of this sound."""
        digest = hashlib.sha256(f"{audio.rate} {audio.samples.shape}\n".encode())
        digest.update(audio.samples.astype("<f4", copy=False).data)
        shown = name.encode("utf-8", "replace").decode()  # half letters of a name in another encoding
        return cls(shown, digest.hexdigest(), audio.duration)


@dataclass(frozen=True)
class RepaintOptions:
    """How the sound outside the region of a repaint stays as it was.

    While the latents are found, the outside is put back in a share of the steps; at the end it is blended in;
    the finished sound gets the samples of the source back, so that behind the crossfade they are the same bits.
    ``"aggressive"`` does none of the three: the outside is what the model makes of it.
    """

    repaint_mode: str = knob_field(
        "balanced",
        Knob(
            "Repaint mode",
            "How firmly the music outside the region is held while the inside is made.",
            choices=REPAINT_MODES,
            choice_labels=("Conservative", "Balanced", "Aggressive"),
        ),
    )
    repaint_strength: float = knob_field(
        0.5,
        Knob(
            "Repaint strength",
            "For the balanced mode: 0 holds the outside in every step, 1 in none.",
            minimum=0,
            maximum=1,
            step=0.05,
        ),
    )
    repaint_latent_crossfade_frames: int | None = knob_field(
        None,
        Knob(
            "Latent crossfade",
            "Latent frames (1/25 s) outside each edge over which source and new music blend; 0 for no blend.",
            unit="frames",
            minimum=0,
            maximum=250,
            step=1,
            optional=True,
        ),
    )
    repaint_wav_crossfade_sec: float | None = knob_field(
        None,
        Knob(
            "Crossfade",
            "Seconds outside each edge over which the source's own samples fade in; 0 for a hard cut.",
            unit="s",
            minimum=0,
            maximum=10,
            step=0.005,
            optional=True,
        ),
    )

    def __post_init__(self) -> None:
        for name, rule in knobs(RepaintOptions).items():
            check = checked_choice if rule.choices else checked_number
            object.__setattr__(self, name, check(name, getattr(self, name), rule))

    @property
    def injection_ratio(self) -> float:
        """Share of the denoising steps, 0–1, after which the outside is put back."""
        return {"conservative": 1.0, "aggressive": 0.0}.get(self.repaint_mode, 1.0 - self.repaint_strength)

    @property
    def crossfade_frames(self) -> int:
        """Latent frames outside each edge over which source and new latents blend; 0 for no blend."""
        if self.repaint_latent_crossfade_frames is not None:
            return self.repaint_latent_crossfade_frames
        return round(_CROSSFADE_FRAMES * self.injection_ratio)

    @property
    def crossfade_seconds(self) -> float:
        """Seconds outside each edge over which the samples of the source fade in."""
        if self.repaint_wav_crossfade_sec is not None:
            return self.repaint_wav_crossfade_sec
        return _CROSSFADE_SECONDS * self.injection_ratio


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What was done to which sound; together with song, options and seeds it makes the same take again.

    ``sources`` lie one behind the other (two of them when a seam is stitched). ``region`` is (start, end) in
    seconds of the joined source: what a repaint makes anew, where lego's new track plays. ``tracks`` are names
    out of ``TRACKS``. ``quantize`` shows a cover its source through codes, which keep the outline and forget
    the sound. ``repaint`` says how the outside of a repaint stays. With ``context`` the network hears only so
    many seconds of the source on either side of the region, with ``step`` a region that goes past the end is
    made in pieces of at most that many seconds.
    """

    task: str = knob_field(
        "cover",
        Knob(
            "Task",
            "What to do with the source.",
            choices=EDIT_TASKS,
            choice_labels=(
                "Cover: the same outline in another style",
                "Repaint: a region anew",
                "Lego: one more track to the music",
                "Extract: one track out of the music",
                "Complete: the other tracks to one",
            ),
        ),
    )
    sources: tuple[Source, ...]
    region: tuple[float, float] | None = None
    tracks: tuple[str, ...] = ()
    quantize: bool = knob_field(
        True,
        Knob(
            "Through codes", "Keep the outline of the source and forget its sound; for covers.", switch=True
        ),
    )
    repaint: RepaintOptions | None = None
    context: float | None = knob_field(
        None,
        Knob(
            "Context",
            "Seconds of the source that are heard on either side of the region; all of it when empty.",
            unit="s",
            minimum=1,
            maximum=240,
            step=1,
            optional=True,
        ),
    )
    step: float | None = knob_field(
        None,
        Knob(
            "Step",
            "Longest piece that is made at once when a region goes past the end.",
            unit="s",
            minimum=REGION_ADVICE[0],
            maximum=REGION_ADVICE[1],
            step=1,
            optional=True,
        ),
    )

    def __post_init__(self) -> None:
        rules = knobs(Edit)
        checked = {
            "task": checked_choice("task", self.task, rules["task"]),
            "sources": _sources(self.sources),
            "region": None if self.region is None else checked_region(self.region),
            "tracks": checked_tracks(self.tracks),
            "quantize": checked_switch("quantize", self.quantize, rules["quantize"]),
            "context": checked_number("context", self.context, rules["context"]),
            "step": checked_number("step", self.step, rules["step"]),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.task == "repaint" and self.repaint is None:
            object.__setattr__(self, "repaint", RepaintOptions())
        _check_fit(self)
        if not isinstance(self.repaint, RepaintOptions | None):
            remedy = 'Give for example RepaintOptions("conservative").'
            raise InputError(
                field="repaint", value=self.repaint, allowed="RepaintOptions or empty", remedy=remedy
            )

    @property
    def splices(self) -> bool:
        """Whether the finished sound gets the source's own samples back outside the region."""
        return self.repaint is not None and self.repaint.repaint_mode != "aggressive"

    def to_dict(self) -> dict[str, Any]:
        """The edit as plain JSON values."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Edit:
        """The edit that ``to_dict`` wrote, checked again."""
        return from_dict(cls, data)


def checked_region(region: object) -> tuple[float, float]:
    """(start, end) in seconds with start < end, or ``InputError``."""
    remedy = _("Give its first and its last second, such as (12, 18.5).")
    if isinstance(region, (str, bytes)) or not isinstance(region, Iterable):
        raise refused("region", region, _REGION, remedy)
    values = tuple(region)
    if len(values) != 2:
        raise refused("region", f"{len(values)} values", _REGION, remedy)
    start, end = (float(checked_number("region", value, _REGION)) for value in values)  # type: ignore[arg-type]
    if not start < end:
        raise InputError(
            field="region",
            value=f"{start:g}–{end:g} s",
            allowed=_("one that ends after it starts"),
            remedy=_("Give the later second last."),
        )
    return start, end


def checked_tracks(tracks: object) -> tuple[str, ...]:
    """Track names as the models know them, or ``InputError``.

    Text is taken apart at commas: ``"Drums, backing vocals"`` → ``("drums", "backing_vocals")``.
    """
    if isinstance(tracks, str):
        tracks = tracks.split(",")
    if not isinstance(tracks, Iterable):
        raise _no_track(tracks)
    names = []
    for track in tracks:
        name = "_".join(str(track).lower().replace("_", " ").replace("-", " ").split())
        if name not in TRACKS:
            raise _no_track(track)
        if name not in names:
            names.append(name)
    return tuple(names)


def _no_track(value: object) -> InputError:
    allowed = _("names out of {names}", names=", ".join(TRACKS))
    return InputError(
        field="tracks", value=value, allowed=allowed, remedy=_("Write for example drums, bass.")
    )


def _sources(sources: object) -> tuple[Source, ...]:
    values = tuple(sources) if isinstance(sources, Iterable) and not isinstance(sources, (str, bytes)) else ()
    if not values or not all(isinstance(source, Source) for source in values):
        raise InputError(field="sources", value=sources, allowed="one or more sounds that are reworked")
    return values


def _check_fit(edit: Edit) -> None:
    """Raise ``InputError`` for what the task does not take, and for what it lacks."""
    task = edit.task
    if edit.region is None and task == "repaint":
        raise InputError(
            field="region",
            allowed=_("given for a repaint, as its first and last second"),
            remedy=_("Write for example region=(12, 18.5)."),
        )
    for name, given, fits in (
        ("region", edit.region is not None, task in ("repaint", "lego")),
        ("tracks", bool(edit.tracks), task in (*ONE_TRACK, "complete")),
        ("quantize", not edit.quantize, task == "cover"),
        ("repaint", edit.repaint is not None, task == "repaint"),
        ("context", edit.context is not None, task == "repaint"),
        ("step", edit.step is not None, _goes_on(edit)),
    ):
        if given and not fits:
            whose = "an edit that does not go on past the end" if name == "step" else f"the task {task}"
            raise InputError(
                f"{whose} takes no {name}", field=name, value=getattr(edit, name), remedy="Leave it out."
            )
    if task in ONE_TRACK and len(edit.tracks) > 1:
        raise InputError(
            field="tracks",
            value=", ".join(edit.tracks),
            allowed=_("one track for the task {task}", task=task),
            remedy=_("Ask for one after the other."),
        )


def _goes_on(edit: Edit) -> bool:
    """Whether the edit makes the sound longer at its end, hearing a part of it."""
    length = sum(source.duration for source in edit.sources)
    return (
        edit.context is not None
        and edit.region is not None
        and edit.region[0] >= 0
        and edit.region[1] > length
    )
