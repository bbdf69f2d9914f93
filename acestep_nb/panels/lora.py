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
from acestep_nb.files import given_path, is_dir
from acestep_nb.knobs import knobs
from acestep_nb.locales import _
from acestep_nb.panels.previews import SCALES, Previews, at_scales, song_of
from acestep_nb.panels.session import load, loaded
from acestep_nb.panels.songs import SongTable
from acestep_nb.panels.text import Text, box, button, explained, shown, style
from acestep_nb.panels.wording import error_in_words
from acestep_nb.song import Song
from acestep_nb.widgets.compare import Compare

if TYPE_CHECKING:
    from acestep_nb.panels.panel import Panel

_KNOBS = ("rank", "alpha", "learning_rate", "epochs", "batch_size", "preview_every", "seed")
_ELSEWHERE = {"dataset": "songs", "audio": "songs", "name": "adapter", "scale": "adapter", "folder": "out"}
_BETWEEN = 1.0  # seconds, at least, from one picture of the curve to the next
_WIDE = {"description_width": "initial"}


class Lora(ipywidgets.VBox):
    """Adapters of an engine, or of the engine of a panel, in a cell of their own.

    Everything here is `engine.adapters`: load an adapter, turn it up and down, mute it, take it out; or name a
    folder of songs, hear and correct what is said of them, name a folder for the adapter, and press Train. Training
    goes on where it was stopped; previews sound while it goes on, and in the end the adapter at three scales.
    """

    def __init__(self, engine: Engine | Panel) -> None:
        self._owner = engine
        self._cancel = threading.Event()
        self._saved_as = ""
        self.thread: threading.Thread | None = None
        self.source = ipywidgets.Text(description=_("Adapter"), placeholder=_("folder, or name on the hub"))
        self.load = button(_("Load"), hint=_("Let this adapter work"))
        self.rows = box([], "ace-adapters")
        self.songs = ipywidgets.Text(
            description=_("Songs"), placeholder=_("folder of songs, or a dataset’s JSON")
        )
        self.look = button(_("Show the songs"), hint=_("Hear them, and correct what is said of them"))
        self.table = SongTable(lambda: self.engine, self._no_planner, self._kept)
        self.out = ipywidgets.Text(description=_("Into"), placeholder=_("folder for the adapter"))
        self.knobs = {name: self._field(name) for name in _KNOBS}
        self.all_layers = ipywidgets.Checkbox(description=_("All layers, not only attention"), indent=False)
        self.train = button(_("Train"), "ace-go", hint=_("Begin, or go on where it was stopped"))
        self.stop = button(_("Stop"), hint=_("Nothing is lost: Train goes on from there"))
        self.told = Text("", "ace-quiet-text")
        self.curve = ipywidgets.Image(format="png")
        self.previews = Previews()
        self.comparison = box([], "ace-comparison")
        self.errors = {name: Text("", "ace-error") for name in ("adapter", "songs", "out", *_KNOBS)}
        self.message = Text("", "ace-error")
        for row in (self.curve, self.stop):
            shown(row, False)
        super().__init__([style(), *self._arranged()])
        self.add_class("ace")
        self.add_class("ace-studio")
        self.load.on_click(lambda _button: self._try(self._load))
        self.look.on_click(lambda _button: self._try(self._look))
        self.songs.observe(lambda change: self._named(change["new"]), "value")
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
        """Show the adapters that are loaded now, and what the engine can do."""
        known = self._known
        self.rows.children = [] if known is None else [self._row(adapter) for adapter in known.adapters]
        self.table.refresh()

    @property
    def _known(self) -> Engine | None:
        return self._owner if isinstance(self._owner, Engine) else loaded(self._owner._engine)

    def _no_planner(self) -> str:
        if self._known is None or self._known.planner:
            return ""
        return _('This engine has no planner: load one with Engine.load(…, planner="acestep-5Hz-lm-0.6B").')

    def _arranged(self) -> list[ipywidgets.Widget]:
        fields = [self._with_error(field, name) for name, field in self.knobs.items()]
        songs = box([self._with_error(self.songs, "songs"), self.look], "ace-row")
        heard = [self.curve, self.previews, self.comparison, self.message]
        return [
            box(
                [box([self._with_error(self.source, "adapter"), self.load], "ace-row"), self.rows],
                "ace-section",
            ),
            box([songs, self.table.box], "ace-section"),
            box(
                [
                    self._with_error(self.out, "out"),
                    box(fields, "ace-knobs"),
                    box([self.all_layers], "ace-layers"),
                    box([self.train, self.stop, self.told], "ace-row"),
                    *heard,
                ],
                "ace-section",
            ),
        ]

    def _with_error(self, field: ipywidgets.Widget, name: str) -> ipywidgets.Box:
        return box([field, self.errors[name]], "ace-field")

    def _field(self, name: str) -> ipywidgets.Widget:
        rule, default = knobs(LoraOptions)[name].spoken, getattr(LoraOptions(), name)
        kind = ipywidgets.IntText if rule.step == 1 else ipywidgets.FloatText
        return explained(kind(value=default, description=rule.label), f"{rule.help} ({rule.allowed})")

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

    def _look(self) -> None:
        """Show the songs of the folder or the JSON that is named."""
        if not self.songs.value.strip():
            raise AceStepError(_("name the songs and a folder for the adapter"), field="songs")
        place = given_path(self.songs.value.strip(), "songs")
        folder = is_dir(place)
        try:
            self.table.show(Dataset.scan(place) if folder else Dataset.load(place), None if folder else place)
        except AceStepError as error:
            error.field = "songs"
            raise

    def _kept(self, path: Path) -> None:
        """The dataset was saved: from now on that file is what is learned."""
        self._saved_as = self.songs.value = str(path)

    def _named(self, songs: str) -> None:
        """Other songs are named: those that are shown go."""
        if songs != self._saved_as:
            self.table.show(None)

    def _begin(self) -> None:
        """Check what is asked, then train in a thread of its own; the panel stays awake."""
        values = {name: field.value for name, field in self.knobs.items()}
        if self.all_layers.value:
            values["targets"] = TARGETS
        options = LoraOptions(**values)
        for name, field in (("songs", self.songs), ("out", self.out)):
            if not field.value.strip():
                raise AceStepError(_("name the songs and a folder for the adapter"), field=name)
        place = given_path(self.songs.value.strip(), "songs")
        prepared = is_dir(place) and any(place.glob("*.pt"))
        if self.table.dataset is None and not prepared:
            self._look()
        engine, songs = self.engine, self.table.dataset or place
        self._cancel.clear()
        self._busy(True)
        self.previews.clear()
        self.comparison.children = []
        work = (engine, songs, given_path(self.out.value.strip(), "out"), options)
        self.thread = threading.Thread(target=self._work, args=work, name="training", daemon=True)
        self.thread.start()

    def _work(self, engine: Engine, songs: Dataset | Path, out: Path, options: LoraOptions) -> None:
        song = song_of(songs) if isinstance(songs, Dataset) else None
        hooks = {"on_progress": _Drawing(self), "on_preview": self.previews.hear, "cancel": self._cancel}
        try:
            trained = engine.adapters.train(songs, out, options, preview=song, **hooks)  # type: ignore[arg-type]
            self.source.value = str(trained.adapter)
            self.message.say("; ".join(trained.problems))
            if song is not None:
                self._let_compare(engine, trained.adapter, song)
        except Cancelled:
            self.told.say(_("stopped; Train goes on from there"))
        except Exception as error:
            self._say(error)
        finally:
            self._busy(False)

    def _let_compare(self, engine: Engine, adapter: Path, song: Song) -> None:
        """Let the ear tell what was learned: one seed without, with half and with all of the adapter."""
        done = self.told.value
        self.told.say(_("rendering one seed at three scales"))
        takes = at_scales(engine, adapter, song, self._cancel)
        labels = [f"{_(SCALE.label)} {scale:g}" for scale in SCALES]
        self.comparison.children = [Compare(takes, labels=labels)]
        self.told.value = done

    def _busy(self, on: bool) -> None:
        self.train.disabled = self.load.disabled = on
        shown(self.stop, on)

    def _try(self, act: Callable[[], object]) -> None:
        for text in (*self.errors.values(), self.message):
            text.say("")
        try:
            act()
        except AceStepError as error:
            self._say(error)

    def _say(self, error: Exception) -> None:
        """Put an error under the field that it is about, else below everything."""
        field = getattr(error, "field", None) or ""
        self.errors.get(_ELSEWHERE.get(field, field), self.message).say(error_in_words(error))


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
