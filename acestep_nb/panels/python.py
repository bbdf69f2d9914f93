"""A panel's state as Python that makes the same takes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from acestep_nb.options import RenderOptions
from acestep_nb.song import Song


def python(engine: str, song: Song, seeds: Iterable[int], options: RenderOptions) -> str:
    """A runnable script; fields that stand at their default are left out."""
    names = ["Engine", "Player", *(["RenderOptions"] if options != RenderOptions() else []), "Song"]
    extra = f", options={_call(options)}" if options != RenderOptions() else ""
    return "\n".join(
        [
            f"from acestep_nb import {', '.join(names)}",
            "",
            f"song = {_call(song)}",
            f"engine = Engine.load({_literal(engine)})",
            f"takes = engine.generate(song, seeds={list(seeds)}{extra})",
            "Player(takes)",
        ]
    )


def _call(value: Any) -> str:
    """``Song(caption="…", bpm=76)``: one line if it is short, else one line per field."""
    fields = [field for field in dataclasses.fields(value) if getattr(value, field.name) != field.default]
    words = [f"{field.name}={_literal(getattr(value, field.name))}" for field in fields]
    line = f"{type(value).__name__}({', '.join(words)})"
    if len(line) <= 80 and "\n" not in line:
        return line
    return "\n".join([f"{type(value).__name__}(", *(f"    {word}," for word in words), ")"])


def _literal(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    readable = all(character.isprintable() or character == "\n" for character in value)
    if "\n" in value and readable and "\\" not in value and '"' not in value:
        return f'"""{value}"""'
    return json.dumps(value, ensure_ascii=False) if readable else ascii(value)
