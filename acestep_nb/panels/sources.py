"""A sound to choose: a take of the project, an upload, or a file on the machine of the kernel."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from acestep_nb.audio import Audio
from acestep_nb.errors import AceStepError, InputError
from acestep_nb.files import disk_errors, given_path, is_file, write_atomic
from acestep_nb.history import History, slug
from acestep_nb.lineage import one_line
from acestep_nb.locales import _
from acestep_nb.panels.text import Text, box
from acestep_nb.panels.wording import error_in_words
from acestep_nb.sources import Sounding
from acestep_nb.takes import Take
from acestep_nb.widgets.player import title
from acestep_nb.widgets.upload import Upload

_LISTED = 60  # newest takes in the list
_FILE = "file"


class SoundForm:
    """A list of takes, an upload button and a path; ``sound`` is what they choose, None for nothing."""

    def __init__(
        self, field: str, label: str, history: History, changed: Callable[[], None], lock: threading.RLock
    ) -> None:
        self.field = field
        self._history = history
        self._changed = changed
        self._guard = lock
        self._filling = False
        self._takes: dict[str, Take] = {}
        self.list = ipywidgets.Dropdown(
            description=label, options=[(_("none"), ""), (_("a file"), _FILE)], value=""
        )
        self.upload = Upload(self._uploaded, description=_("Upload"), accept="audio/*")
        self.path = ipywidgets.Text(description=_("Path"), placeholder=_("path of a sound file"))
        self.error = Text("", "ace-error")
        row = [Text(label.lower(), "ace-tag"), self.list, self.path]
        self.box = box(
            [box(row, "ace-seed", "ace-sound"), self.upload, self.error], "ace-row", f"ace-{field}"
        )
        self._show_path()
        self.list.observe(self._chosen, "value")
        self.path.observe(self._chosen, "value")

    @property
    def sound(self) -> Sounding | None:
        """The take or the path that is chosen; ``InputError`` for a path that is not there."""
        if self.list.value != _FILE:
            return self._takes.get(self.list.value)
        if not self.path.value.strip():
            return None
        path = given_path(self.path.value.strip(), self.field)
        if not is_file(path):
            raise InputError(
                field=self.field,
                value=self.path.value,
                allowed=_("the path of a sound file"),
                remedy=_("Type the path of a file on the machine where the notebook runs, or upload one."),
            )
        return path

    @sound.setter
    def sound(self, sound: Sounding | None) -> None:
        with self._guard:
            self._filling = True
            try:
                if isinstance(sound, Take):
                    self.offer([sound, *self._takes.values()])
                    self.list.value = sound.name
                else:
                    self.list.value = "" if sound is None else _FILE
                    self.path.value = "" if sound is None else str(sound)
            finally:
                self._filling = False
            self._chosen(None)

    def offer(self, takes: Iterable[Take]) -> None:
        """List these takes; the one that is chosen stays in the list."""
        with self._guard:
            chosen = self.list.value
            held = [take for name, take in self._takes.items() if name == chosen]
            kept = {take.name: take for take in [*list(takes)[:_LISTED], *held] if take.name}
            names = sorted(kept, reverse=True)
            if list(self._takes) == names:
                return
            self._takes = {name: kept[name] for name in names}
            before, self._filling = self._filling, True
            try:
                labels = [(_label(take), name) for name, take in self._takes.items()]
                self.list.options = [(_("none"), ""), (_("a file"), _FILE), *labels]
                self.list.value = chosen
            finally:
                self._filling = before

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the fields, or take it away."""
        self.error.say(error_in_words(error))
        (self.box.remove_class if error is None else self.box.add_class)("ace-wrong")

    @property
    def raw(self) -> dict[str, Any]:
        """The fields as they stand."""
        return {"take": self.list.value, "path": self.path.value}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set what ``raw`` told, as far as it is still there."""
        with self._guard:
            self.path.value = str(values.get("path", ""))
            name = values.get("take")
            if name in {value for _, value in self.list.options}:
                self.list.value = name

    def _chosen(self, _change: object) -> None:
        with self._guard:
            if self._filling:
                return
            self._show_path()
            self.show(None)
            self._changed()

    def _show_path(self) -> None:
        file = self.list.value == _FILE
        (self.box.add_class if file else self.box.remove_class)("ace-file")

    def _uploaded(self, name: str, data: bytes) -> None:
        """Keep what the browser sent as a file of the project, and choose that."""
        try:
            self.sound = _kept_upload(self._history.folder / "uploads", name, data)
        except AceStepError as error:
            self.show(error)


def _label(take: Take) -> str:
    short = one_line(take.song.caption)
    return f"{title(take, 0)} · {short}" if short else title(take, 0)


def _kept_upload(folder: Path, name: str, data: bytes) -> Path:
    """The file in the folder that holds an upload; ``InputError`` when it is no sound."""
    given = Path(name)
    ending = given.suffix.lower() if given.suffix[1:].isalnum() else ""
    with tempfile.TemporaryDirectory() as place:
        trial = Path(place) / f"{slug(given.stem)}{ending}"
        trial.write_bytes(data)
        Audio.load(trial)
    file = folder / trial.name
    number = 1
    while file.exists() and file.read_bytes() != data:
        number += 1
        file = folder / f"{slug(given.stem)}-{number}{ending}"
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
        write_atomic(file, data)
    return file
