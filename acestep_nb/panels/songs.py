"""The songs that an adapter learns from: to hear, to correct and to save; ten at a time, one of them open."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import soundfile

from acestep_nb.adapters.dataset import INSTRUMENTAL, UNKNOWN, Dataset, Sample, known
from acestep_nb.adapters.scanning import beginning
from acestep_nb.audio import Audio
from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError, InputError
from acestep_nb.files import disk_errors
from acestep_nb.languages import LANGUAGES
from acestep_nb.locales import _
from acestep_nb.panels.editors import Advice, SongForm
from acestep_nb.panels.editors.fixing import shown as value_in_words
from acestep_nb.panels.text import Text, box, button, shown, style
from acestep_nb.panels.wording import error_in_words
from acestep_nb.song import Song
from acestep_nb.widgets.player import Player
from acestep_nb.widgets.sounds import waveform

PAGE = 10
"""Songs at a time."""
_METAS = ("bpm", "keyscale", "timesignature", "vocal_language")


class SongSound:
    """The part of a song's file that is learned, as players take it: read when it is drawn or played, not kept."""

    def __init__(self, place: int, path: Path) -> None:
        self.place, self.path = place, path

    @property
    def outline(self) -> tuple[float, bytes]:
        """Its length in seconds and its waveform; `InputError` for a file that is no sound."""
        with disk_errors(self.path, "audio"):
            return _outline(self.path, self.path.stat().st_mtime_ns)

    def flac_bytes(self) -> bytes:
        """What the browser plays."""
        return _read(self.path).flac_bytes()


def _read(path: Path) -> Audio:
    try:
        with disk_errors(path, "audio"), path.open("rb") as file:
            return beginning(file)
    except (soundfile.LibsndfileError, TypeError) as error:
        reason = f"{path.name} cannot be read as sound: {error}"
        raise InputError(reason, field="audio", value=str(path)) from error


@functools.lru_cache(maxsize=1000)
def _outline(path: Path, changed: int) -> tuple[float, bytes]:
    sound = _read(path)
    return sound.duration, waveform(sound)


class SongCards(Player):
    """A player for songs of a dataset: `about(place)` is what a card says of one, `on_open(place)` hears a press."""

    def __init__(self, about: Callable[[int], dict[str, Any]], on_open: Callable[[int], None]) -> None:
        self._about, self._on_open = about, on_open
        super().__init__(empty="")

    @property
    def songs(self) -> list[Any]:
        """What is shown."""
        return list(self._sounds.values())

    def key(self, song: Any, number: int) -> str:
        """A song is called by its place in the dataset."""
        return str(song.place)

    def card(self, key: str, song: Any, number: int) -> dict[str, Any]:
        """One song in plain values; of a damaged one what is wrong with it."""
        try:
            seconds, peaks = song.outline
            sound = {"duration": seconds, "peaks": peaks, "problem": ""}
        except AceStepError as error:
            sound = {"duration": 0.0, "peaks": b"", "problem": error_in_words(error)}
        plain: dict[str, Any] = {"starred": None, "scores": [], "menu": None}
        edit = ["edit", _("Edit"), _("Correct what is said of this song")]
        return {"id": key, **self._about(song.place), **sound, **plain, "actions": [edit]}

    def act(self, kind: str, song: Any, message: object) -> None:
        """Open the song that was pressed or played."""
        if kind in ("edit", "select"):
            self._on_open(song.place)


class SongTable:
    """`box` shows a dataset to hear and correct; `dataset` is what became of it, None before there is one.

    `engine` gives the engine that labels, and `why_not` says why that cannot be done now, or nothing; `saved` hears
    where the dataset was written.
    """

    def __init__(
        self, engine: Callable[[], Engine], why_not: Callable[[], str], saved: Callable[[Path], None]
    ) -> None:
        self.dataset: Dataset | None = None
        self.thread: threading.Thread | None = None
        self._drawing: threading.Thread | None = None
        self._engine, self._why_not, self._saved = engine, why_not, saved
        self._lock, self._cancel = threading.RLock(), threading.Event()
        self._page, self._at, self._turn = 0, -1, 0
        self._filling = self._wrong = False
        self.count = Text("", "ace-strong")
        self.tag = ipywidgets.Text(
            description=_("Activation word"), placeholder=_("begins every caption"), continuous_update=False
        )
        self.label = button(_("Label what is missing"))
        self.stop = button(_("Stop"), hint=_("Songs that are labelled stay so"))
        self.why = Text("", "ace-quiet-text")
        self.cards = SongCards(self._told, self.open)
        self.cards.add_class("ace-few")
        self.back, self.on = button(_("Previous"), "ace-flat"), button(_("Next"), "ace-flat")
        self.pages = Text("", "ace-quiet-text")
        self.form = SongForm(self._edited, self._lock)
        self.advice = Advice(self.form)
        self.title = Text("", "ace-title")
        self.instrumental = ipywidgets.Checkbox(description=_("Instrumental"), indent=False)
        self.path = ipywidgets.Text(description=_("Save as"))
        self.save = button(_("Save"), hint=_("Write the dataset as the JSON that people exchange"))
        self.errors = {name: Text("", "ace-error") for name in ("dataset", "custom_tag")}
        self.message = Text("", "ace-error")
        self.editor = self._editor()
        self.box = self._arranged()
        self._listen()

    def show(self, dataset: Dataset | None, path: Path | None = None) -> None:
        """Show this dataset, to be saved at `path`; None shows nothing."""
        with self._lock:
            self.dataset, self._page, self._at, self._wrong = dataset, 0, -1, False
            shown(self.box, dataset is not None)
            shown(self.editor, False)
            self._turn += 1
            if dataset is None:
                return
            self.path.value = str(path or dataset.folder / "dataset.json")
            self._filling = True
            self.tag.value = dataset.custom_tag
            self._filling = False
            self.message.say("; ".join(dataset.problems))
            self._draw()
        self.refresh()

    def refresh(self) -> None:
        """Show what can be pressed now; call it when an engine came or went."""
        reason, busy = self._why_not(), self.thread is not None
        self.label.disabled = bool(reason) or busy
        self.label.tooltip = reason or _("Let the planner hear every song and write what nobody has written")
        shown(self.stop, busy)
        if not busy:
            self.why.say(reason)

    def open(self, place: int) -> None:
        """Open the song at that place of the dataset to be edited; one with a wrong value is not left."""
        with self._lock:
            if place == self._at or not self._may_leave() or self.dataset is None:
                return
            self._at, self._before = place, self.dataset.samples[place]
            self._fill(self._before)
            self.cards.selected = str(place)
            shown(self.editor, True)

    def _editor(self) -> ipywidgets.Box:
        form = self.form
        head = box([self.title, self.instrumental, box([], "ace-grow"), self.advice.box], "ace-row")
        self.words = box([form["caption"], form["lyrics"]], "ace-two")
        metas = box([form[name] for name in _METAS], "ace-knobs")
        return box([head, self.words, metas, self.advice.list], "ace-song")

    def _arranged(self) -> ipywidgets.Box:
        tag = box([self.tag, self.errors["custom_tag"]], "ace-field")
        path = box([self.path, self.errors["dataset"]], "ace-field")
        self.pager = box([self.back, self.pages, self.on], "ace-row")
        made = box(
            [
                style(),
                box([self.count, tag, self.label, self.stop, self.why], "ace-row"),
                self.cards,
                self.pager,
                self.editor,
                box([path, self.save], "ace-row"),
                self.message,
            ],
            "ace-songs",
        )
        shown(made, False)
        return made

    def _listen(self) -> None:
        self.back.on_click(lambda _button: self._leaf(-1))
        self.on.on_click(lambda _button: self._leaf(1))
        self.label.on_click(lambda _button: self._try(self._begin))
        self.stop.on_click(lambda _button: self._cancel.set())
        self.save.on_click(lambda _button: self._try(self._write))
        self.instrumental.observe(lambda _change: self._edited(), "value")
        self.tag.observe(lambda _change: self._tagged(), "value")

    def _may_leave(self) -> bool:
        self.message.say(_("Correct the marked field first.") if self._wrong else "")
        return not self._wrong

    def _leaf(self, pages: int) -> None:
        with self._lock:
            if self._may_leave():
                self._page, self._at, self.cards.selected = self._page + pages, -1, ""
                shown(self.editor, False)
                self._draw()

    def _draw(self) -> None:
        """Show the page; a thread reads the waveforms, which may take seconds, and the cards come one by one."""
        assert self.dataset is not None
        samples, first = self.dataset.samples, self._page * PAGE
        behind = min(first + PAGE, len(samples))
        shown(self.pager, len(samples) > PAGE)
        self.pages.say(_("{first}–{last} of {count}", first=first + 1, last=behind, count=len(samples)))
        self.back.disabled, self.on.disabled = first == 0, behind == len(samples)
        sounds = [SongSound(i, self.dataset.path_of(samples[i])) for i in range(first, behind)]
        self._renew([])
        self._turn += 1
        self._drawing = threading.Thread(target=self._fetch, args=(self._turn, sounds), daemon=True)
        self._drawing.start()

    def _fetch(self, turn: int, sounds: list[SongSound]) -> None:
        for count, sound in enumerate(sounds, 1):
            with contextlib.suppress(AceStepError):  # its card tells
                sound.outline  # noqa: B018 - kept, so that nobody waits for the lock meanwhile
            with self._lock:
                if turn != self._turn:
                    return
                self._renew(sounds[:count])

    def _renew(self, sounds: list[SongSound]) -> None:
        """Tell anew how many songs there are, and what is said of these."""
        assert self.dataset is not None
        missing = sum(not sample.labeled for sample in self.dataset.samples)
        labels = _("{count} not labelled", count=missing) if missing else _("all labelled")
        self.count.say(f"{_('{count} songs', count=len(self.dataset))} · {labels}")
        self.cards.show(sounds)  # type: ignore[arg-type]

    def _told(self, place: int) -> dict[str, Any]:
        assert self.dataset is not None
        sample = self.dataset.samples[place]
        song = _shown(sample)
        facts = [value_in_words(name, song[name]) for name in _METAS if song[name] is not None]
        facts += [_("Instrumental")] if sample.is_instrumental else []
        facts += [] if sample.labeled else [_("not labelled")]
        return {"title": sample.filename, "caption": sample.caption, "facts": facts}

    def _fill(self, sample: Sample) -> None:
        self._filling = True
        try:
            self.title.say(sample.filename)
            self.form.value = Song()
            self.form.fill(_shown(sample))
            self.instrumental.value = sample.is_instrumental
            self._filled = self.form.raw
        finally:
            self._filling = False
        self._wrong = False
        self._show_lyrics(not sample.is_instrumental)

    def _show_lyrics(self, on: bool) -> None:
        shown(self.form["lyrics"], on)
        (self.words.remove_class if on else self.words.add_class)("ace-alone")

    def _edited(self) -> None:
        """Take over what is typed, unless it is wrong: that is told under its field."""
        with self._lock:
            if self._filling or self._at < 0 or self.dataset is None:
                return
            silent = self.instrumental.value
            if not silent and self.form.raw["lyrics"] == INSTRUMENTAL:
                self._filling = True
                self.form.fill({"lyrics": self._before.raw_lyrics})
                self._filling = False
            self._show_lyrics(not silent)
            raw = self.form.raw
            values = {
                _name(name): _stored(name, value)
                for name, value in raw.items()
                if value != self._filled[name] and not (silent and name == "lyrics")
            }
            samples = list(self.dataset.samples)
            samples[self._at] = self._before
            try:
                self.form.value  # noqa: B018 - marks what is wrong
                changed = replace(self.dataset, samples=tuple(samples)).changed(
                    self._at, is_instrumental=silent, labeled=bool(raw["caption"].strip()), **values
                )
            except InputError:
                self._wrong = True
                return
            self.dataset, self._wrong = changed, False
            self._renew(self.cards.songs)

    def _tagged(self) -> None:
        with self._lock:
            if not self._filling and self.dataset is not None:
                self.dataset = self.dataset.told(custom_tag=self.tag.value.strip())
                if self._at >= 0:
                    self._before = replace(self._before, custom_tag=self.dataset.custom_tag)

    def _write(self) -> None:
        with self._lock:
            if self.dataset is None or not self._may_leave():
                return
            if not self.path.value.strip():
                raise InputError(field="dataset", allowed=_("a file to save it in"))
            path = self.dataset.save(self.path.value.strip())
        self._saved(path)

    def _begin(self) -> None:
        if self._may_leave() and self.dataset is not None and self.thread is None:
            self._cancel.clear()
            work = (self._engine(), self.dataset)
            self.thread = threading.Thread(target=self._work, args=work, name="labelling", daemon=True)
            self.refresh()
            self.thread.start()

    def _work(self, engine: Engine, asked: Dataset) -> None:
        def tell(done: int, songs: int) -> None:
            self.why.say(_("{done} of {songs} songs heard", done=done, songs=songs))

        try:
            self._take_over(asked, engine.adapters.label(asked, on_song=tell, cancel=self._cancel))
        except Exception as error:
            self.message.say(error_in_words(error))
        finally:
            self.thread = None
            self.refresh()

    def _take_over(self, asked: Dataset, labelled: Dataset) -> None:
        """Show what was labelled; what a person wrote meanwhile stays."""
        with self._lock:
            if self.dataset is None or len(self.dataset) != len(asked):
                return
            samples = tuple(
                new if now == old else now
                for now, old, new in zip(self.dataset.samples, asked.samples, labelled.samples)
            )
            self.dataset = replace(self.dataset, samples=samples)
            self.message.say("; ".join(labelled.problems[len(asked.problems) :]))
            if self._at >= 0 and not self._wrong:
                self._before = samples[self._at]
                self._fill(self._before)
            self._renew(self.cards.songs)

    def _try(self, act: Callable[[], None]) -> None:
        for error in (*self.errors.values(), self.message):
            error.say("")
        try:
            act()
        except AceStepError as error:
            self.errors.get(error.field or "", self.message).say(error_in_words(error))


def _name(name: str) -> str:
    """What a sample calls the field of a song."""
    return "language" if name == "vocal_language" else name


def _stored(name: str, value: Any) -> Any:
    """The value of a song's field as a sample keeps it, which has words for what is not known."""
    if value is None and name != "bpm":
        return UNKNOWN if name == "vocal_language" else ""
    return value


def _shown(sample: Sample) -> dict[str, Any]:
    """The fields of a sample as a song's form takes them."""
    language = sample.language
    return {
        "caption": sample.caption,
        "lyrics": sample.lyrics,
        "bpm": sample.bpm,
        "keyscale": known(sample.keyscale),
        "timesignature": known(sample.timesignature),
        "vocal_language": language if language in LANGUAGES and language != UNKNOWN else None,
    }
