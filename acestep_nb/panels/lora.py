"""Adapters: those at work, louder, softer or muted; and a new one that learns from a folder of songs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from acestep_nb.adapters.dataset import Dataset
from acestep_nb.adapters.options import TARGETS, LoraOptions
from acestep_nb.adapters.progress import TrainingProgress
from acestep_nb.adapters.uses import SCALE
from acestep_nb.adapting import Adapter
from acestep_nb.curves import loss_curve
from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError, Cancelled
from acestep_nb.knobs import knobs
from acestep_nb.locales import _
from acestep_nb.panels.session import load, loaded
from acestep_nb.panels.text import Text, box, button, explained, shown, style

if TYPE_CHECKING:
    from acestep_nb.panels.panel import Panel

_KNOBS = ("rank", "alpha", "learning_rate", "epochs", "batch_size", "seed")
_BETWEEN = 1.0  # seconds, at least, from one picture of the curve to the next
_WIDE = {"description_width": "initial"}


class Lora(ipywidgets.VBox):
    """Adapters of an engine, or of the engine of a panel, in a cell of their own.

    Everything here is `engine.adapters`: load an adapter, turn it up and down, mute it, take it out; or name a
    folder of songs and one for the adapter, and press Train. Training goes on where it was stopped.
    """

    def __init__(self, engine: Engine | Panel) -> None:
        self._owner = engine
        self._cancel = threading.Event()
        self.thread: threading.Thread | None = None
        self.source = ipywidgets.Text(description=_("Adapter"), placeholder=_("folder, or name on the hub"))
        self.load = button(_("Load"), hint=_("Let this adapter work"))
        self.rows = box([], "ace-adapters")
        self.songs = ipywidgets.Text(
            description=_("Songs"), placeholder=_("folder of songs, or a dataset’s JSON")
        )
        self.out = ipywidgets.Text(description=_("Into"), placeholder=_("folder for the adapter"))
        self.knobs = {name: self._field(name) for name in _KNOBS}
        self.all_layers = ipywidgets.Checkbox(description=_("All layers, not only attention"), indent=False)
        self.train = button(_("Train"), "ace-main", hint=_("Begin, or go on where it was stopped"))
        self.stop = button(_("Stop"), hint=_("Nothing is lost: Train goes on from there"))
        self.told = Text("", "ace-quiet-text")
        self.curve = ipywidgets.Image(format="png")
        self.message = Text("", "ace-error")
        for row in (self.curve, self.stop):
            shown(row, False)
        super().__init__([style(), self._arranged()])
        self.add_class("ace")
        self.add_class("ace-studio")
        self.load.on_click(lambda _button: self._try(self._load))
        self.train.on_click(lambda _button: self._try(self._begin))
        self.stop.on_click(lambda _button: self._cancel.set())
        self.refresh()

    @property
    def engine(self) -> Engine:
        """The engine, loaded now if its panel has only named it."""
        if isinstance(self._owner, Engine):
            return self._owner
        named: Any = self._owner._engine
        return loaded(named) or load(named)

    def refresh(self) -> None:
        """Show the adapters that are loaded now."""
        known = self._owner if isinstance(self._owner, Engine) else loaded(self._owner._engine)
        self.rows.children = [] if known is None else [self._row(adapter) for adapter in known.adapters]

    def _arranged(self) -> ipywidgets.Widget:
        return box(
            [
                box([self.source, self.load], "ace-row"),
                self.rows,
                box([self.songs, self.out], "ace-row"),
                box([*self.knobs.values(), self.all_layers], "ace-knobs"),
                box([self.train, self.stop, self.told], "ace-row"),
                self.curve,
                self.message,
            ],
            "ace-section",
        )

    def _field(self, name: str) -> ipywidgets.Widget:
        rule, default = knobs(LoraOptions)[name], getattr(LoraOptions(), name)
        kind = ipywidgets.IntText if rule.step == 1 else ipywidgets.FloatText
        return explained(kind(value=default, description=_(rule.label)), f"{rule.help} ({rule.allowed})")

    def _row(self, adapter: Adapter) -> ipywidgets.Widget:
        on = ipywidgets.Checkbox(value=adapter.on, description=adapter.name, indent=False)
        scale = ipywidgets.FloatSlider(
            value=adapter.scale,
            min=SCALE.minimum,
            max=SCALE.maximum,
            step=SCALE.step,
            description=_(SCALE.label),
            continuous_update=False,
            style=_WIDE,
        )
        out = button(_("Take out"), "ace-flat", hint=_("The model is then as it was without it"))
        change, name = self.engine.adapters.change, adapter.name
        on.observe(lambda new: self._try(lambda: change(name, on=new["new"])), "value")
        scale.observe(lambda new: self._try(lambda: change(name, scale=new["new"])), "value")
        out.on_click(lambda _button: self._try(lambda: self._unload(name)))
        return box([on, scale, out], "ace-row", "ace-adapter")

    def _load(self) -> None:
        self.engine.adapters.load(self.source.value.strip())
        self.refresh()

    def _unload(self, name: str) -> None:
        self.engine.adapters.unload(name)
        self.refresh()

    def _begin(self) -> None:
        """Check what is asked, then train in a thread of its own; the panel stays awake."""
        values = {name: field.value for name, field in self.knobs.items()}
        if self.all_layers.value:
            values["targets"] = TARGETS
        options = LoraOptions(**values)
        if not self.songs.value.strip() or not self.out.value.strip():
            raise AceStepError(_("name the songs and a folder for the adapter"), field="songs")
        place = Path(self.songs.value.strip()).expanduser()
        songs = Dataset.load(place) if place.suffix == ".json" else place
        engine = self.engine
        self._cancel.clear()
        self._busy(True)
        work = (engine, songs, Path(self.out.value.strip()), options)
        self.thread = threading.Thread(target=self._work, args=work, name="training", daemon=True)
        self.thread.start()

    def _work(self, engine: Engine, songs: Dataset | Path, out: Path, options: LoraOptions) -> None:
        try:
            trained = engine.adapters.train(
                songs, out, options, on_progress=_Drawing(self), cancel=self._cancel
            )
            self.source.value = str(trained.adapter)
            self.message.say("; ".join(trained.problems))
        except Cancelled:
            self.told.say(_("stopped; Train goes on from there"))
        except Exception as error:
            self.message.say(str(error) if isinstance(error, AceStepError) else repr(error))
        finally:
            self._busy(False)

    def _busy(self, on: bool) -> None:
        self.train.disabled = self.load.disabled = on
        shown(self.stop, on)

    def _try(self, act: Callable[[], object]) -> None:
        self.message.say("")
        try:
            act()
        except AceStepError as error:
            self.message.say(str(error))


class _Drawing:
    """Shows a training on the panel as it goes on."""

    def __init__(self, panel: Lora) -> None:
        self._panel = panel
        self._losses: list[float] = []
        self._drawn = 0.0

    def __call__(self, progress: TrainingProgress) -> None:
        self._panel.told.say(str(progress))
        if progress.stage != "training" or progress.last_loss is None:
            return
        self._losses.append(progress.last_loss)
        if time.monotonic() - self._drawn < _BETWEEN and progress.step < progress.steps:
            return
        self._drawn = time.monotonic()
        picture: Any = loss_curve(self._losses)
        self._panel.curve.value = picture._repr_png_()
        shown(self._panel.curve, True)
