"""The knobs of caption and lyrics: text areas that know what captions and lyrics are made of."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knob
from acestep_nb.locales import _
from acestep_nb.panels.editors.fixing import change_of, told
from acestep_nb.panels.knobs import KnobView
from acestep_nb.panels.text import Text, box
from acestep_nb.scores.values import Line, Scores
from acestep_nb.song import Song
from acestep_nb.widgets.editor import TextEditor
from acestep_nb.writing import DIMENSIONS, TAGS, Hint
from acestep_nb.writing.measures import line_syllables
from acestep_nb.writing.wording import terms_in, with_tag, with_term, without_term

OnFix = Callable[[Hint], None]


class EditorKnob(KnobView):
    """A text of the song in an editor; ``on_fix`` hears a hint whose fix is wanted."""

    on_fix: OnFix | None = None
    palette: tuple[dict[str, Any], ...] = ()
    measured = False

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        super().__init__(owner, name, changed, lock)
        rule = knob(owner, name)
        self._song = Song()
        self._hints: dict[str, Hint] = {}
        self.area = TextEditor(
            self._picked,
            self._fixed,
            description=_(rule.label),
            placeholder=_(rule.help),
            limit=rule.max_length or 0,
            palette=[_spoken(group) for group in self.palette],
            measured=self.measured,
        )
        self.error = Text("", "ace-error")
        self.box = box([self.area, self.error], "ace-text-knob", f"ace-knob-{name}")
        self._on_change(self.area, lambda _change: self._edited())

    @property
    def value(self) -> str:
        """The text as typed."""
        return self.area.value

    @value.setter
    def value(self, value: str) -> None:
        self.area.value = value

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the text, or take it away."""
        super().show(error)
        self.area.invalid = error is not None

    def advise(self, song: Song, hints: Iterable[Hint]) -> None:
        """Show what the linter says of this text, and what there is to tell about the song's words."""
        with self._lock:
            self._song = song
            self._hints = self._by_key(hints)
            shown = [_shown(key, hint, song) for key, hint in self._hints.items()]
            self.area.advise(shown, **self._about(song))

    def _by_key(self, hints: Iterable[Hint]) -> dict[str, Hint]:
        """This text's hints, each by its rule and which of that rule's it is."""
        seen: dict[str, int] = defaultdict(int)
        found = {}
        for hint in hints:
            if hint.span[0] == self.name:
                seen[hint.id] += 1
                found[f"{hint.id} {seen[hint.id]}"] = hint
        return found

    def _about(self, song: Song) -> dict[str, Any]:
        raise NotImplementedError

    def _picked(self, word: str, at: int) -> None:
        raise NotImplementedError

    def _fixed(self, key: str) -> None:
        with self._lock:
            hint = self._hints.get(key)
            if hint is not None and self.on_fix is not None:
                self.on_fix(hint)


def _spoken(group: dict[str, Any]) -> dict[str, Any]:
    """A group of the palette in the language of the interface; its words go into the song and stay as they are."""
    return {"label": _(group["label"]), "words": [(word, _(meaning)) for word, meaning in group["words"]]}


class CaptionKnob(EditorKnob):
    """The caption: chips put the words of each dimension in and take them out again."""

    palette = tuple(
        {"label": dimension.label, "words": [(word, "") for word in dimension.words]}
        for dimension in DIMENSIONS
    )

    def _about(self, song: Song) -> dict[str, Any]:
        return {"chosen": sorted(terms_in(self.value))}

    def _picked(self, word: str, at: int) -> None:
        with self._lock:
            there = word in terms_in(self.value)
            self.value = (without_term if there else with_term)(self.value, word)


class LyricsKnob(EditorKnob):
    """The lyrics: tags at the cursor, syllables of each line, and how well a take sings it."""

    palette = tuple(
        {"label": group.label, "words": [(tag.text, tag.meaning) for tag in group.tags]} for group in TAGS
    )
    measured = True

    _scores: Scores | None = None

    @property
    def scores(self) -> Scores | None:
        """The scores that are drawn beside the lines they were made for; None for none."""
        return self._scores

    @scores.setter
    def scores(self, scores: Scores | None) -> None:
        with self._lock:
            if scores != self._scores:
                self._scores = scores
                self.advise(self._song, self._hints.values())

    def _about(self, song: Song) -> dict[str, Any]:
        counts = line_syllables(song)
        texts = song.lyrics.split("\n")
        weak = () if self._scores is None else self._scores.weak_lines
        lines = [
            {
                "count": count,
                "score": None if line is None else line.bar,
                "weak": line in weak,
            }
            for count, line in zip(counts, lines_of(texts, self._scores))
        ]
        return {"lines": lines}

    def _picked(self, word: str, at: int) -> None:
        with self._lock:
            self.value, place = with_tag(self.value, at, word)
            self.area.select(place)


def lines_of(texts: Iterable[str], scores: Scores | None) -> list[Line | None]:
    """The scored line for each line of text, by its words and, where they come again, in their order."""
    waiting: dict[str, list[Line]] = defaultdict(list)
    for line in reversed(() if scores is None else scores.lines):
        waiting[line.text].append(line)
    return [known.pop() if (known := waiting.get(text.strip())) else None for text in texts]


def _shown(key: str, hint: Hint, song: Song) -> dict[str, Any]:
    _field, start, end = hint.span
    fix = told(change_of(hint, song))
    return {
        "key": key,
        "severity": hint.severity,
        "message": hint.message,
        "start": start,
        "end": end,
        "fix": fix,
    }
