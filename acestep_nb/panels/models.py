"""Models: what is in memory, how it fits there, and what could be loaded in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from acestep_nb.checkpoints.registry import Found, Model, found, models
from acestep_nb.engine import DTYPES, Engine
from acestep_nb.errors import AceStepError
from acestep_nb.locales import _
from acestep_nb.panels.session import Session, load, loaded, release
from acestep_nb.panels.text import Text, box, button, fold, shown, style, toggle
from acestep_nb.panels.wording import error_in_words
from acestep_nb.placing import memory, place

if TYPE_CHECKING:
    from acestep_nb.panels.panel import Panel

_DEVICES = ("cuda", "mps", "cpu")
_ELSEWHERE = _AUTO = ""
_SWITCHED = {"yes": True, "no": False}


class ModelsView:
    """Loads and frees for a panel: ``current`` tells its engine, ``use`` gives it another one or a name.

    ``refresh`` shows what is in memory now; call it when the session has something new.
    """

    def __init__(
        self, session: Session, current: Callable[[], Engine | str], use: Callable[[Engine | str], None]
    ) -> None:
        self._session, self._current, self._use = session, current, use
        self._asked = 0
        self.told = Text("", "ace-strong")
        self.placement = Text("", "ace-quiet-text")
        self.memory = Text("", "ace-quiet-text", "ace-numbers")
        self.meter = ipywidgets.FloatProgress(min=0, max=1)
        self.fit = Text("", "ace-quiet-text")
        self.message = Text("", "ace-error")
        self.load = button(_("Load"), hint=_("Put this model into memory, in place of the one there"))
        self.free = button(_("Free memory"), "ace-flat", hint=_("Let the model go; Generate loads it again"))
        self.more = toggle(_("More models"), "ace-flat", hint=_("What can be downloaded"))
        missing = Text(missing_in_words(found()), "ace-quiet-text", "ace-lines")
        fold(self.more, missing)
        shown(self.more, bool(missing.value))
        self._choices = self._build()
        self.box = box(
            [
                box([self.told, self.placement], "ace-row"),
                box([self.memory, self.meter], "ace-row", "ace-memory"),
                box(list(self._choices.values()), "ace-knobs"),
                box([self.load, self.free, self.fit], "ace-row"),
                self.message,
                self.more,
                missing,
            ],
            "ace-models",
        )
        self.load.on_click(lambda _button: self._try(self._load))
        self.free.on_click(lambda _button: self._try(self._free))
        for choice in self._choices.values():
            choice.observe(lambda _change: self._chosen(), "value")
        self._show_path()
        self.refresh()

    def refresh(self) -> None:
        """Show what is in memory now."""
        engine = loaded(self._current())
        self.told.say(_("nothing is loaded yet") if engine is None else in_a_line(engine))
        self.placement.say("" if engine is None else str(engine.placement))
        used, whole = memory(None if engine is None or engine.device == "cpu" else engine.device)
        self.memory.say(
            _("memory {used} of {whole} GB", used=f"{used:.1f}", whole=f"{whole:.1f}") if whole else ""
        )
        self.meter.value = used / whole if whole else 0.0
        self.free.disabled = engine is None

    @property
    def choice(self) -> tuple[str, dict[str, Any]]:
        """What is chosen, as `Engine.load` takes it: the checkpoint and the rest by name."""
        values = {name: choice.value for name, choice in self._choices.items()}
        name, path = values.pop("checkpoint"), values.pop("path").strip()
        return name or path, {
            key: _SWITCHED.get(value, value) for key, value in values.items() if value != _AUTO
        }

    def _build(self) -> dict[str, Any]:
        here = found()
        checkpoints = [own for own in here if own.role == "renderer"]
        planners = [own for own in here if own.role == "planner" and not own.trouble]
        asked = self._current()
        start = asked if isinstance(asked, str) else asked.name
        names = [own.name for own in checkpoints if not own.trouble]
        known = next(
            (name for name in names if start in (name, name.removeprefix("acestep-v15-"))), _ELSEWHERE
        )
        auto = (_("Auto"), _AUTO)  # None would be no choice to a list
        yes_or_no = [auto, (_("yes"), "yes"), (_("no"), "no")]
        choices = {
            "checkpoint": [*((name, name) for name in names), (_("another folder"), _ELSEWHERE)],
            "planner": [auto, (_("none"), "no"), *((own.name, own.name) for own in planners)],
            "device": [auto, *((device, device) for device in _DEVICES)],
            "dtype": [auto, *((dtype, dtype) for dtype in DTYPES)],
            "offload": yes_or_no,
            "int8": yes_or_no,
        }
        labels = {
            "checkpoint": _("Checkpoint"),
            "planner": _("Planner"),
            "device": _("Device"),
            "dtype": _("Number format"),
            "offload": _("Networks take turns"),
            "int8": _("Weights of 8 bits"),
        }
        built: dict[str, Any] = {
            name: ipywidgets.Dropdown(options=options, description=labels[name])
            for name, options in choices.items()
        }
        built["checkpoint"].value = known
        path = "" if known else start
        built["path"] = ipywidgets.Text(value=path, description=_("Folder"), continuous_update=False)
        return built

    def _chosen(self) -> None:
        """Another choice: tell how it will fit, from a thread, for torch may have to be imported first."""
        self._show_path()
        self.message.say("")
        self.fit.say("")
        self._asked += 1
        name, how = self.choice
        if name:
            about = (self._asked, name, how)
            threading.Thread(target=self._tell_fit, args=about, name=f"fit {name}", daemon=True).start()

    def _show_path(self) -> None:
        shown(self._choices["path"], self._choices["checkpoint"].value == _ELSEWHERE)

    def _tell_fit(self, asked: int, name: str, how: dict[str, Any]) -> None:
        try:
            words = _("with what is free now: {fit}", fit=str(place(name, **how).placement))
        except AceStepError as error:
            words = error_in_words(error)
        if asked == self._asked:  # nothing else was chosen meanwhile
            self.fit.say(words)

    def _try(self, act: Callable[[], None]) -> None:
        self.message.say("")
        try:
            act()
        except AceStepError as error:
            self.message.say(error_in_words(error))

    def _load(self) -> None:
        name, how = self.choice
        if not name:
            raise AceStepError(_("no folder is named"), remedy=_("Write where the checkpoint lies."))

        def act() -> None:
            try:
                place(name, **how)  # what cannot be loaded shall not cost what is there
                self._let_go()
                self._use(name)
                load(name, **how)
            except Exception as error:
                self.message.say(error_in_words(error))
                self._session.note(error_in_words(error), None if isinstance(error, AceStepError) else error)

        self._session.exchange(_("loading {name}", name=Path(name).name), act)

    def _free(self) -> None:
        self._session.exchange(_("freeing memory"), lambda: self._use(self._let_go()))

    def _let_go(self) -> str:
        """Free the panel's own engine, and the one that was loaded by name; what the panel's was called."""
        engine = self._current()
        release()
        if isinstance(engine, str):
            return engine
        engine.free()
        return engine.name


class Models(ipywidgets.VBox):
    """The models of a panel in a cell of their own: load another one, see how it fits, free memory."""

    def __init__(self, panel: Panel) -> None:
        own = panel._session
        self.view = ModelsView(own, lambda: panel._engine, panel._use)
        super().__init__([style(), box([self.view.box], "ace-section")])
        self.add_class("ace")
        self.add_class("ace-studio")
        own.listen(self.view.refresh)


def in_a_line(engine: Engine) -> str:
    """An engine's name, device, number format and planner."""
    planner = engine.planner or _("no planner")
    return f"{engine.name} · {engine.device} · {engine.dtype} · {planner}"


def missing_in_words(here: list[Found]) -> str:
    """What is published and not on this machine, and how to get it, one line each; empty when all is here."""
    whole = {own.name for own in here if not own.trouble}
    lines = [f"{own.name} · {own.gigabytes:g} GB · {own.about}" for own in models() if _wanted(own, whole)]
    if not lines:
        return ""
    return "\n".join([_("Not on this machine (acestep-nb download --model NAME fetches one):"), *lines])


def _wanted(model: Model, whole: set[str]) -> bool:
    return model.role in ("renderer", "planner") and model.layout == "original" and model.name not in whole
