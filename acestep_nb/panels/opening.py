"""Parameter files on a panel: a button that opens one, and the form filled with what it asks for."""

from __future__ import annotations

from collections.abc import Callable

from acestep_nb.edits import RepaintOptions
from acestep_nb.errors import InputError
from acestep_nb.files import given_path, is_file
from acestep_nb.history import History
from acestep_nb.locales import _
from acestep_nb.panels.tasks import EditOptions
from acestep_nb.panels.work_form import WorkForm
from acestep_nb.params import Params
from acestep_nb.sources import Sounding
from acestep_nb.widgets.upload import Upload


class Opening:
    """A button that takes a JSON file, of the original or of a take; ``on_open`` is called with its content."""

    def __init__(self) -> None:
        self.on_open: Callable[[bytes], object] = lambda _data: None
        self.button = Upload(
            lambda _name, data: self.on_open(data), description=_("Open parameters"), accept=".json"
        )


def fill(form: WorkForm, params: Params, history: History) -> list[str]:
    """Let the form ask for what the parameters do; what is not on this machine is told."""
    form.song.value, form.options.value, form.planning.value = params.song, params.options, params.planning
    form.codes.value = params.codes
    form.tracks.picks.value = params.tracks
    form.repaint.value = params.repaint or RepaintOptions()
    form.edit.value = EditOptions(quantize=params.quantize)
    if params.seeds:
        form.seeds.seeds = params.seeds
    notes: list[str] = []
    for sounds, name in ((form.source, params.source), (form.reference, params.reference)):
        sounds.sound = None if name is None else _sound(history, name)
        if name is not None and sounds.sound is None:
            notes.append(_("the sound {name} is not here: choose another", name=name))
    start, end = params.region or (None, None)
    form.region.fill(
        {"start": "" if start is None else f"{start:g}", "end": "" if end is None else f"{end:g}"}
    )
    return notes


def _sound(history: History, name: str) -> Sounding | None:
    """The take of that name, or the file of that path; None when there is neither."""
    if name in {entry.name for entry in history.entries}:
        return history.get(name)
    try:
        path = given_path(name, "source")
    except InputError:
        return None
    return path if is_file(path) else None
