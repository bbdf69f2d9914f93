"""The linter's view of the whole song: how much there is to say, and what no editor shows beside its text."""

from __future__ import annotations

from collections import Counter

from acestep_nb.locales import _
from acestep_nb.panels.editors.fixing import change_of, told, usable
from acestep_nb.panels.editors.song import SongForm
from acestep_nb.panels.text import Text, box, button
from acestep_nb.widgets.hints import HintList
from acestep_nb.writing import Hint


class Advice:
    """``box`` counts the hints by severity and makes the safe fixes at once; ``list`` are those on metas."""

    def __init__(self, form: SongForm) -> None:
        self._form = form
        self._shown: dict[str, Hint] = {}
        self.count = Text("", "ace-quiet-text", "ace-hint-count")
        self.fix_all = button("", "ace-flat", hint=_("Move and space what is there; nothing is chosen anew"))
        self.list = HintList(self._fixed)
        self.box = box([self.count, self.fix_all], "ace-pair", "ace-advice")
        self.fix_all.on_click(lambda _button: form.fix_all())
        form.listen(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        form = self._form
        self.count.say(in_words(form.hints))
        self.fix_all.description = _("Fix {count}", count=form.safe)
        self.fix_all.layout.display = None if form.safe else "none"
        edited = {editor.name for editor in form.editors}
        others = [hint for hint in form.hints if hint.span[0] not in edited]
        self._shown = {f"{number} {hint.id}": hint for number, hint in enumerate(others)}
        song = usable(form.raw)
        self.list.hints = [
            {
                "key": key,
                "severity": hint.severity,
                "message": hint.message,
                "fix": told(change_of(hint, song)),
            }
            for key, hint in self._shown.items()
        ]

    def _fixed(self, key: str) -> None:
        if (hint := self._shown.get(key)) is not None:
            self._form.fix(hint)


def in_words(hints: tuple[Hint, ...]) -> str:
    """``2 warnings · 1 note``; empty without hints."""
    counts = Counter(hint.severity for hint in hints)
    parts = {
        "error": (_("1 error"), _("{count} errors")),
        "warning": (_("1 warning"), _("{count} warnings")),
        "info": (_("1 note"), _("{count} notes")),
    }
    return " · ".join(
        one if counts[severity] == 1 else many.format(count=counts[severity])
        for severity, (one, many) in parts.items()
        if counts[severity]
    )
