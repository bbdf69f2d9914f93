"""The language of the interface: every sentence that a person sees, looked up in a catalogue.

The English sentence is its own key. Write ``_("Generate")`` where a sentence is shown, and ``later("Generate")``
where it only stands ready (a constant), to be given to ``_`` when it is shown. The catalogues are the ``.po``
files in ``acestep_nb/locale``; ``python tests/catalogues.py`` adds what they lack.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from acestep_nb.errors import InputError

INTERFACE = {"en": "English", "ja": "日本語", "zh": "中文"}
"""The languages of the interface: code and name in itself."""
FOLDER = Path(__file__).with_name("locale")
_ENTRY = re.compile(r'^msgid ((?:".*"\s*)+)^msgstr ((?:".*"\s*)+)', re.MULTILINE)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"')
_chosen = ""
_proposed = ""


def language(code: str | None = None) -> str:
    """The language of the interface as its code; with one, ``"en"``, ``"ja"`` or ``"zh"``, switch to it.

    It holds for what is shown from now on in this kernel. Another code raises ``InputError``.
    """
    global _chosen
    if code is not None:
        if code not in INTERFACE:
            raise InputError(
                field="language", value=code, allowed=", ".join(INTERFACE), remedy='Write for example "ja".'
            )
        _chosen = code
    return _chosen or _proposed or "en"


def propose(code: str) -> None:
    """Speak this language unless one was chosen in this kernel; one that is not there is let be.

    The interface has one language at a time. Until a person chooses it, it is that of the project opened last: what
    one project keeps does not count as chosen for the next. Panels that are open stay as they are drawn.
    """
    global _proposed
    if code in INTERFACE:
        _proposed = code


def _(text: str, **values: object) -> str:
    """The sentence in the chosen language, each ``{name}`` in it replaced by that value.

    A sentence that the catalogue lacks stays English.
    """
    found = catalogue(language()).get(text, text)
    return found.format(**values) if values else found


def later(text: str) -> str:
    """The sentence itself: marks one that is translated where it is shown."""
    return text


@functools.cache
def catalogue(code: str) -> dict[str, str]:
    """Every translated sentence of a language by its English; none for English itself."""
    if code == "en":
        return {}
    entries = _ENTRY.findall((FOLDER / f"{code}.po").read_text("utf-8"))
    told = {_joined(key): _joined(sentence) for key, sentence in entries}
    return {key: sentence for key, sentence in told.items() if key and sentence}


def _joined(quoted: str) -> str:
    """The text of the quoted pieces that a catalogue writes one below the other."""
    return "".join(json.loads(piece) for piece in _PIECE.findall(quoted))
