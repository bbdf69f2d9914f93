"""The engine's verbs that judge: the scores of a take, and the best take of many."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from acestep_nb.errors import InputError
from acestep_nb.knobs import Knob, checked_kind, checked_number
from acestep_nb.takes import Take

if TYPE_CHECKING:  # numpy's friends and torch are imported when the first take is scored
    from acestep_nb.ladder import Ladder
    from acestep_nb.planner.planner import Planner
    from acestep_nb.renders import Renders
    from acestep_nb.scores.values import Scores

SENSITIVITY = Knob("Score sensitivity", "Smaller spreads takes further apart.", minimum=0.01, maximum=1)
MEASURES = ("lyrics_alignment", "plan_alignment", "lyrics_heard", "quality")


class Scoring(ABC):
    """What an engine that holds models can say about takes; the networks are had by turns."""

    _renders: Renders
    _planner: Planner | None
    _ladder: Ladder

    @abstractmethod
    def _turn(self, cancel: threading.Event | None) -> AbstractContextManager[None]:
        """The networks for this thread alone."""

    def score(
        self,
        take: Take,
        lyrics: str | None = None,
        *,
        listen: bool = False,
        sensitivity: float = 0.5,
        cancel: threading.Event | None = None,
    ) -> Scores:
        """How well a take holds what was asked: lyrics line by line, and the facts of its sound.

        Other `lyrics` than its own may be given, to try what it sings. `listen` adds the listening test, which
        hears what is sung and not only where, for two more steps of rendering. `sensitivity` (0.01–1) is that of
        the planner's opinion: smaller spreads takes further apart. What cannot be had is None, and `notes` say
        why. The scores of a kept take for its own lyrics are kept beside it.
        Raises `InputError` for lyrics that a song cannot have or another sensitivity, `Cancelled` when `cancel`
        is set while others render.
        """
        from acestep_nb.scores.judging import planners_view, renderers_view
        from acestep_nb.scores.keeping import keep
        from acestep_nb.scores.signal import signal_facts

        checked_number("sensitivity", sensitivity, SENSITIVITY)
        checked_kind("take", take, Take)
        signal = signal_facts(take.audio, take.song.bpm)
        with self._turn(cancel):
            models, conditioner = self._renders.models, self._renders.conditioner
            heard = self._ladder.work(
                "reading", lambda: renderers_view(models, conditioner, take, lyrics, signal, listen)
            )
            scores = self._ladder.work(
                "planning", lambda: planners_view(self._planner, take, heard, sensitivity)
            )
        if lyrics is None and take.folder is not None:
            keep(take.folder, scores)
        return scores

    def best_of(
        self, takes: Iterable[Take], by: str | None = None, *, cancel: threading.Event | None = None
    ) -> Take:
        """The take that scores best; of equals the first.

        `by` is one of `MEASURES`; None is lyrics alignment for songs with words, else quality. Takes of which it
        is kept already are not scored again.
        Raises `InputError` for no takes, another measure, or one that none of the takes has.
        """
        if isinstance(takes, str | Take) or not isinstance(takes, Iterable):
            raise InputError(
                field="takes", value=takes, allowed="a list of takes", remedy="Write [first, second]."
            )
        given = [checked_kind("takes", take, Take) for take in takes]
        if by is not None and by not in MEASURES:
            raise InputError(field="by", value=by, allowed=", ".join(MEASURES))
        scored = [self._scores(take, by, cancel) for take in given]
        for measure in (by,) if by else ("lyrics_alignment", "quality"):
            values = [getattr(scores, measure) for scores in scored]
            known = [i for i, value in enumerate(values) if value is not None]
            if known:
                return given[max(known, key=lambda i: values[i])]
        reasons = sorted({note for scores in scored for note in scores.notes})
        raise InputError(
            f"none of {len(given)} takes can be ranked: {'; '.join(reasons) or 'there are none'}",
            field="takes",
            value=len(given),
            allowed="takes with words to sing, or with codes and a planner",
            remedy="Choose by ear, or by another measure.",
        )

    def _scores(self, take: Take, by: str | None, cancel: threading.Event | None) -> Scores:
        from acestep_nb.scores.keeping import kept

        known = None if take.folder is None else kept(take.folder)
        if known is not None and (by is None or getattr(known, by) is not None):
            return known
        heard = known is not None and known.lyrics_heard is not None
        return self.score(take, listen=heard or by == "lyrics_heard", cancel=cancel)
