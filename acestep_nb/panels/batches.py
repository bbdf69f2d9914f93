"""Batches on their way: what each was asked for, how far it is, and what is still to come of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from acestep_nb.engine import Engine, Progress
from acestep_nb.jobs import Job
from acestep_nb.lineage import one_line
from acestep_nb.locales import _
from acestep_nb.panels.estimate import Asked
from acestep_nb.panels.tasks import TASK_VIEWS
from acestep_nb.takes import Take
from acestep_nb.work import Work

CLICK, SCORE, AUTO = range(3)
"""What the worker does first: what a person pressed, then scores, then what comes by itself."""
_SURE = 0.15  # share of the work after which the time left is told

Again = Callable[[Work], Work]
"""The work of the next batch that comes by itself: the same with other seeds."""


@dataclass(eq=False)
class Batch:
    """One batch from the press to its last take; `again` makes the next one where more are to come by themselves.

    `number` is 0 for a batch that a person asked for and counts those that came of it by themselves. `coming` are
    the noise seeds that are still to be heard, `kept` the takes that were written; `spent` are seconds by stage.
    """

    engine: Engine | str
    work: Work
    again: Again | None = None
    number: int = 0
    asked: Asked | None = None
    job: Job | None = None
    words: str = field(default_factory=lambda: _("waiting"))
    progress: Progress | None = None
    coming: list[int] = field(default_factory=list)
    kept: list[Take] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    _began: float | None = None
    _heard: float = 0.0

    def __post_init__(self) -> None:
        self.coming = [seeds.noise for seeds in self.work.seeds]

    def next(self, again: Again) -> Batch:
        """The batch that comes by itself after this one."""
        return Batch(self.engine, again(self.work), again, self.number + 1, self.asked)

    @property
    def auto(self) -> bool:
        """Whether nobody pressed a button for this very batch."""
        return self.number > 0

    @property
    def told(self) -> str:
        """What was asked for, in a line: the task, the song's first words, how many takes."""
        count = len(self.work.seeds)
        takes = _("1 take") if count == 1 else _("{count} takes", count=count)
        return " · ".join(
            part
            for part in (_(TASK_VIEWS[self.work.task].label), one_line(self.work.song.caption), takes)
            if part
        )

    @property
    def fraction(self) -> float:
        """Share of the batch that is done, 0–1."""
        return 0.0 if self.progress is None else self.progress.fraction

    @property
    def left(self) -> float | None:
        """Seconds that it will take yet; None before that can be told."""
        if self._began is None or self.fraction <= _SURE:
            return None
        return (time.monotonic() - self._began) * (1 - self.fraction) / self.fraction

    @property
    def waiting(self) -> list[str]:
        """What to say of each take that is still to come, the next one last: that is where it will appear."""
        progress, count = self.progress, len(self.coming)
        if progress is None:
            return [_("waiting")] * count
        text = _(progress.stage)
        if progress.steps:
            text = f"{text} · {_('step {step} of {steps}', step=progress.step, steps=progress.steps)}"
        rendered = count if progress.take == 0 else min(1, count)
        return [*[_("waiting")] * (count - rendered), *[text] * rendered]

    def hear(self, progress: Progress) -> bool:
        """Note how far it is; whether another take or stage has begun."""
        self.count_time()
        if self._began is None:
            self._began = self._heard
        before, self.progress = self.progress, progress
        self.words = str(progress)
        return before is None or (before.stage, before.take) != (progress.stage, progress.take)

    def count_time(self) -> None:
        """Add the time since something was heard last to the stage that went on meanwhile."""
        now = time.monotonic()
        if self.progress is not None:
            stage = self.progress.stage
            self.spent[stage] = self.spent.get(stage, 0.0) + now - self._heard
        self._heard = now
