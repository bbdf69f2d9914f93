"""What a panel shows for each task: its name, what it is for, and which fields belong to it."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_nb.edits import ONE_TRACK, Edit
from acestep_nb.kinds import TASKS
from acestep_nb.knobs import checked_number, checked_switch, knob, knob_field, knobs
from acestep_nb.locales import later

STRENGTHS = ("audio_cover_strength", "cover_noise_strength")
"""Options of the renderer that belong to tasks."""


@dataclass(frozen=True)
class TaskView:
    """Name and help of a task; ``region`` may be or must be given, ``tracks`` one or many; the rest by field."""

    label: str
    help: str
    source: bool = True
    region: bool = False
    strengths: tuple[str, ...] = ()
    edit: tuple[str, ...] = ()
    repaint: bool = False


TASK_VIEWS = {
    "text2music": TaskView(
        later("Text to music"), later("A new song from words"), source=False, strengths=STRENGTHS[:1]
    ),
    "cover": TaskView(
        later("Cover"),
        later("The same outline in another style"),
        strengths=STRENGTHS,
        edit=("quantize",),
    ),
    "repaint": TaskView(
        later("Repaint"),
        later("A region made anew, the rest as it was; past the end the song goes on"),
        region=True,
        edit=("context", "step"),
        repaint=True,
    ),
    "lego": TaskView(later("Lego"), later("One more track to the music"), region=True),
    "extract": TaskView(later("Extract"), later("One track out of the music")),
    "complete": TaskView(later("Complete"), later("The other tracks to one")),
}
TRACK_TASKS = (*ONE_TRACK, "complete")
assert tuple(TASK_VIEWS) == TASKS


@dataclass(frozen=True)
class EditOptions:
    """The knobs of an :class:`~acestep_nb.edits.Edit` that are neither its task nor its sounds."""

    quantize: bool = knob_field(True, knob(Edit, "quantize"))
    context: float | None = knob_field(None, knob(Edit, "context"))
    step: float | None = knob_field(None, knob(Edit, "step"))

    def __post_init__(self) -> None:
        for name, rule in knobs(EditOptions).items():
            check = checked_switch if rule.switch else checked_number
            object.__setattr__(self, name, check(name, getattr(self, name), rule))
