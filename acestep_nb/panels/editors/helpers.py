"""Help with writing at a press: dice, the planner's form, a song out of an idea, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knob
from acestep_nb.locales import _
from acestep_nb.panels.editors.song import SongForm
from acestep_nb.panels.text import Text, box, button, toggle
from acestep_nb.panels.wording import error_in_words
from acestep_nb.seeds import fresh_seeds
from acestep_nb.song import Song
from acestep_nb.writing import dice

Question = Callable[..., Song]
"""Asks ``(engine, on_progress=…, cancel=…)`` for a song."""
Think = Callable[[str, Question, Callable[[Song], None]], object]
"""``think(words, question, then)`` asks in the background, shows the words meanwhile, gives the song to ``then``."""


class Helpers:
    """Buttons that write on a form: ``box`` is their row, ``idea`` the folded box of simple mode.

    ``think`` asks the planner in the background, and ``why_not`` says why that cannot be done now, or nothing; a
    form without ``think`` has the dice and the way back.
    """

    def __init__(
        self, form: SongForm, think: Think | None = None, why_not: Callable[[], str] = lambda: ""
    ) -> None:
        self._form, self._think, self._why_not = form, think, why_not
        self.dice = button(_("Dice"), "ace-flat", hint=_("Throw a whole example song"))
        self.format = button(_("Format"), "ace-flat")
        self.simple = toggle(_("Idea"), "ace-flat", hint=_("Describe a song in your own words"))
        self.message = Text("", "ace-quiet-text", "ace-said")
        self.undo = button(_("Undo"), "ace-flat")
        asking = [] if think is None else [self.format, self.simple]
        self.box = box([self.dice, *asking, self.message, self.undo], "ace-row", "ace-helpers")
        self.idea = self._idea()
        self.dice.on_click(lambda _button: self._throw())
        self.format.on_click(lambda _button: self._ask(self._form_of_the_models))
        self.write.on_click(lambda _button: self._ask(self._invention))
        self.undo.on_click(lambda _button: form.undo())
        self.simple.observe(lambda _change: self.refresh(), "value")
        form.listen(self._show_last)
        self._show_last()
        self.refresh()

    def refresh(self) -> None:
        """Show what can be pressed now; call it when an engine came or went."""
        reason = self._why_not()
        hints = {
            self.format: _("Let the planner write caption and lyrics as the models know them best"),
            self.write: _("Let the planner write a whole song of it"),
        }
        for asking, hint in hints.items():
            asking.disabled = bool(reason)
            asking.tooltip = reason or hint
        self.reason.say(reason)
        self.idea.layout.display = None if self.simple.value else "none"

    def _idea(self) -> ipywidgets.Box:
        rule = knob(Song, "vocal_language")
        self.query = ipywidgets.Text(
            description=_("Idea"),
            placeholder=_("a soft love song for a quiet evening; or nothing, for any song"),
        )
        self.instrumental = ipywidgets.Checkbox(value=False, description=_("No voice"), indent=False)
        self.language = ipywidgets.Dropdown(
            options=[(_("any language"), ""), *rule.options], description=_("Sung in")
        )
        self.write = button(_("Write the song"))
        self.reason = Text("", "ace-quiet-text")
        row = box([self.instrumental, self.language, self.write, self.reason], "ace-row")
        return box([self.query, row], "ace-idea")

    def _throw(self) -> None:
        (seed,) = fresh_seeds(1)
        self._form.replace(_("dice {seed}", seed=seed), dice(seed))

    def _form_of_the_models(self, seed: int) -> tuple[Question, str]:
        song = self._form.value

        def question(engine: Engine, **hooks: Any) -> Song:
            return engine.format_song(song, seed=seed, **hooks)

        return question, _("put in form, planner seed {seed}", seed=seed)

    def _invention(self, seed: int) -> tuple[Question, str]:
        query, instrumental = self.query.value, self.instrumental.value
        language = self.language.value or None

        def question(engine: Engine, **hooks: Any) -> Song:
            return engine.create_song(
                query, instrumental=instrumental, vocal_language=language, seed=seed, **hooks
            )

        return question, _("written by the planner, seed {seed}", seed=seed)

    def _ask(self, asked: Callable[[int], tuple[Question, str]]) -> None:
        if self._think is None:
            return
        (seed,) = fresh_seeds(1)
        try:
            question, words = asked(seed)
            self._think(_("the planner writes"), question, lambda song: self._form.replace(words, song))
        except AceStepError as error:
            self.message.say(error_in_words(error))

    def _show_last(self) -> None:
        last = self._form.last
        self.undo.layout.display = None if last is not None else "none"
        self.undo.tooltip = "" if last is None else _("Take back: {words}", words=last.words)
        self.message.say("" if last is None else last.words)
