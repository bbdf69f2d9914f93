"""Every sentence that a person sees, and the catalogues that translate them.

`python tests/catalogues.py` writes what is new into the catalogues, without a translation, and takes out what is
gone; `tests/test_catalogues.py` fails until they are whole.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from acestep_nb.edits import TRACKS
from acestep_nb.knobs import Knob, knobs
from acestep_nb.languages import LANGUAGES
from acestep_nb.locales import FOLDER, INTERFACE, catalogue
from acestep_nb.writing import DIMENSIONS, TAGS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "acestep_nb"
SPOKEN = ("_", "later")
NAMES = {*LANGUAGES, *(f"{code} · {name}" for code, name in LANGUAGES.items())}
"""Labels that are the same in every language: names of languages in themselves."""
SIGNS = re.compile(r"[A-G][#b]? (major|minor)|\d/\d|[\W\d]*|[A-Z]{2,4}")
"""Labels that need no translation: keys, metres, abbreviations."""


def messages() -> dict[str, str]:
    """Each sentence by its English, with the place where it was first seen."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        source = path.read_text("utf-8")
        for text in (*_marked(source, place), *(_of_knobs(path) if "Knob(" in source else ())):
            if text not in NAMES and not SIGNS.fullmatch(text):
                found.setdefault(text, place)
    tracks = [name.replace("_", " ") for name in TRACKS]
    return (
        found
        | dict.fromkeys(_of_palette(), "acestep_nb/writing/palette.py")
        | dict.fromkeys(tracks, "acestep_nb/edits.py")
    )


def _of_palette() -> Iterator[str]:
    """What the palettes of caption and lyrics call their groups, and what each tag means."""
    for group in (*DIMENSIONS, *TAGS):
        yield group.label
    yield from (tag.meaning for group in TAGS for tag in group.tags)


def in_browser() -> dict[str, str]:
    """Each sentence that a widget's half in the browser says, with its file."""
    return {
        json.loads(f'"{text}"'): path.name
        for path in sorted((ROOT / "js" / "src").glob("*.js"))
        for text in re.findall(r'\bt\(\s*"((?:[^"\\]|\\.)*)"', path.read_text("utf-8"))
    }


def _marked(source: str, place: str) -> Iterator[str]:
    """The sentences in calls of `_` and `later`; one that is put together there cannot be looked up."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPOKEN:
            text = node.args[0] if node.args else None
            if isinstance(text, ast.JoinedStr | ast.BinOp):
                raise AssertionError(f"{place}:{node.lineno}: write _('… {{name}}', name=…)")
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


def _of_knobs(path: Path) -> Iterator[str]:
    """Labels and help of the knobs that a module states, alone or in a dataclass."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for value in list(vars(module).values()):
        if isinstance(value, Knob):
            yield from _of_knob(value)
        elif dataclasses.is_dataclass(value) and getattr(value, "__module__", "") == module.__name__:
            for rule in knobs(value).values():  # type: ignore[arg-type]
                yield from _of_knob(rule)


def _of_knob(rule: Knob) -> Iterator[str]:
    yield from (rule.label, rule.help, *rule.choice_labels)


def quoted(text: str) -> str:
    """A text as a catalogue writes it."""
    return json.dumps(text, ensure_ascii=False)


def written(code: str, told: dict[str, str]) -> str:
    """A whole catalogue."""
    head = f'msgid ""\nmsgstr ""\n"Language: {code}\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    entries = (
        f"\n#: {place}\nmsgid {quoted(text)}\nmsgstr {quoted(told.get(text, ''))}\n"
        for text, place in messages().items()
    )
    return head + "".join(entries)


def main() -> None:
    """Bring every catalogue up to date and tell what is left to translate."""
    for code in INTERFACE:
        if code != "en":
            told = catalogue(code)
            (FOLDER / f"{code}.po").write_text(written(code, told), "utf-8")
            print(f"{code}: {sum(text not in told for text in messages())} sentences to translate")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
