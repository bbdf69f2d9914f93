"""The batches that wait: what each will make, and a button that takes it out of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ipywidgets

from acestep_nb.locales import _
from acestep_nb.panels.batches import Batch
from acestep_nb.panels.text import Text, box, button, shown


class Queue:
    """``box`` has a row for each waiting batch; ``on_cancel`` hears the one whose button is pressed.

    A row belongs to its batch for good: a press that comes late still means the batch that the person saw.
    """

    def __init__(self) -> None:
        self.on_cancel: Callable[[Batch], object] = lambda _batch: None
        self.rows: dict[Batch, ipywidgets.Box] = {}
        self.box = box([], "ace-queue")
        shown(self.box, False)

    def show(self, waiting: Iterable[Batch]) -> None:
        """Show these batches, the next one first."""
        rows = {batch: self.rows.get(batch) or self._row(batch) for batch in waiting}
        if rows == self.rows:
            return
        gone = [row for batch, row in self.rows.items() if batch not in rows]
        self.rows = rows
        self.box.children = list(rows.values())
        shown(self.box, bool(rows))
        for row in gone:
            for widget in (*row.children, row):
                widget.close()

    def _row(self, batch: Batch) -> ipywidgets.Box:
        hint = _("Take this batch out of the queue: {batch}", batch=batch.told)
        cancel = button(_("Cancel"), "ace-flat", hint=hint)
        cancel.on_click(lambda _button: self.on_cancel(batch))
        return box([Text(_("waiting"), "ace-quiet-text"), Text(batch.told, "ace-waiting"), cancel], "ace-row")
