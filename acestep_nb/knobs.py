"""Knobs: what a field is called, means and allows, stated once and read by checks, panels and help.

A frozen dataclass describes itself by giving each field ``metadata=knob_field(...)``'s knob; the same
dataclasses turn into JSON values and back with :func:`to_dict` and :func:`from_dict`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from acestep_nb.errors import InputError
from acestep_nb.locales import _, later

T = TypeVar("T")
_KEY = "knob"
_MORE = (later("Use {number} or more."), later("Use {number} or more, or leave it empty."))
_LESS = (later("Use {number} or less."), later("Use {number} or less, or leave it empty."))


@dataclasses.dataclass(frozen=True)
class Knob:
    """One thing a person can turn: its label, help, unit and what it allows.

    Numbers have ``minimum``, ``maximum`` and ``step`` (``step`` 1 asks for whole numbers); text has
    ``max_length`` in characters; a choice has ``choices`` and, for each of them, ``choice_labels``; a
    ``switch`` is true or false; a list of numbers has ``max_items``.
    ``optional`` says whether ``None`` ("let the model decide") is allowed.
    """

    label: str
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    max_length: int | None = None
    choices: tuple[str, ...] = ()
    choice_labels: tuple[str, ...] = ()
    switch: bool = False
    max_items: int | None = None
    optional: bool = False

    @property
    def allowed(self) -> str:
        """What the knob takes, in words: ``10–600 s or empty``."""
        return self.words(unit=self.unit)

    def words(self, unit: str) -> str:
        """What the knob takes, with this unit behind a range of numbers."""
        if self.choices:
            words = _("one of {choices}", choices=", ".join(self.choices))
        elif self.max_length is not None:
            words = _("text of at most {count} characters", count=f"{self.max_length:,}")
        elif self.switch:
            words = _("true or false")
        else:
            words = f"{self.minimum:,.10g}–{self.maximum:,.10g} {unit}".rstrip()
            if self.max_items is not None:
                words = _("at most {count} falling numbers {range}", count=f"{self.max_items:,}", range=words)
        return _("{words} or empty", words=words) if self.optional else words

    @property
    def spoken(self) -> Knob:
        """The knob with its label, help and choices in the language of the interface."""
        labels = tuple(_(label) for label in self.choice_labels)
        return dataclasses.replace(self, label=_(self.label), help=_(self.help), choice_labels=labels)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """``(label, value)`` of each choice, as drop-down lists want them."""
        return tuple(zip(self.choice_labels or self.choices, self.choices, strict=True))


def knob_field(default: T, knob: Knob) -> T:
    """A dataclass field with its default value and its knob."""
    return dataclasses.field(default=default, metadata={_KEY: knob})


def knob(cls: type, name: str) -> Knob:
    """The knob of one field, e.g. ``knob(Song, "bpm").maximum``."""
    return knobs(cls)[name]


def knobs(cls: type) -> dict[str, Knob]:
    """The knobs of a dataclass by field name, in the order in which they are written."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(cls) if _KEY in field.metadata}


def checked_number(name: str, value: object, knob: Knob) -> float | int | None:
    """The number if the knob allows it (an ``int`` where ``step`` is 1), else ``InputError``."""
    if value is None and knob.optional:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise refused(name, value, knob, _("Give it as a number."))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refused(name, value, knob, _("Give it as a number."))
    _check_range(name, value, number, knob)
    if knob.step != 1:
        return number
    if number != int(number):
        raise refused(name, value, knob, _("Give it as a whole number."))
    return int(number)


def checked_text(name: str, value: object, knob: Knob) -> str:
    """The text as typed, line ends made ``\\n``, if the knob's length allows it, else ``InputError``."""
    if not isinstance(value, str):
        raise refused(name, value, knob, _("Give it as text."))
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if knob.max_length is not None and len(text) > knob.max_length:
        remedy = _("Shorten it by {count} characters.", count=f"{len(text) - knob.max_length:,}")
        raise refused(name, value, knob, remedy)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise refused(name, value, knob, _("Remove the half character (a lone surrogate) in it.")) from None
    return text


def checked_choice(name: str, value: object, knob: Knob) -> str:
    """The choice as the knob spells it, else ``InputError``."""
    if not isinstance(value, str) or value.strip().lower() not in knob.choices:
        raise refused(name, value, knob, _("Use for example {choice}.", choice=knob.choices[0]))
    return value.strip().lower()


def checked_switch(name: str, value: object, knob: Knob) -> bool:
    """The switch as a plain bool, else ``InputError``."""
    if not isinstance(value, bool):
        raise refused(name, value, knob, _("Use True or False."))
    return value


def checked_kind(name: str, value: object, kind: type[T]) -> T:
    """The value itself, which must be one of that class, else ``InputError``."""
    if not isinstance(value, kind):
        allowed = f"a {kind.__name__}"
        raise InputError(field=name, value=value, allowed=allowed, remedy=f"Give {allowed}.")
    return value


def refused(name: str, value: object, knob: Knob, remedy: str) -> InputError:
    """The error that says what the knob allows; raise it."""
    allowed = knob.words(unit="" if knob.unit == name else knob.unit)
    return InputError(field=name, value=value, allowed=allowed, remedy=remedy)


def _check_range(name: str, value: object, number: float, knob: Knob) -> None:
    if knob.minimum is not None and number < knob.minimum:
        limit, remedies = knob.minimum, _MORE
    elif knob.maximum is not None and number > knob.maximum:
        limit, remedies = knob.maximum, _LESS
    else:
        return
    raise refused(name, value, knob, _(remedies[knob.optional], number=f"{limit:g}"))


def to_dict(value: Any) -> dict[str, Any]:
    """A dataclass as JSON values, nested dataclasses as nested objects, tuples as lists."""
    return {field.name: _plain(getattr(value, field.name)) for field in _kept(type(value))}


def from_dict(cls: type[T], data: Mapping[str, Any], **beside: Any) -> T:
    """The dataclass that :func:`to_dict` wrote, with the fields that are not kept given ``beside``.

    An unknown or missing key raises ``InputError``.
    """
    fields = {field.name: field for field in _kept(cls)}
    if not isinstance(data, Mapping):
        raise InputError(field=cls.__name__, value=data, allowed=f"made of {', '.join(fields)}")
    if unknown := [key for key in data if key not in fields]:
        remedy = "Remove it, or update acestep_nb if a newer version wrote it."
        allowed = f"made of {', '.join(fields)}"
        raise InputError(field=cls.__name__, value=unknown[0], allowed=allowed, remedy=remedy)
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable
    values = {key: _typed(hints[key], item) for key, item in data.items()}
    missing = [name for name, field in fields.items() if name not in values and _needed(field)]
    if missing:
        raise InputError(f"{cls.__name__} lacks {', '.join(missing)}", field=missing[0])
    return cls(**values, **beside)


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    """The types of the fields, found once: it takes longer than all else, and projects have thousands of records."""
    return typing.get_type_hints(cls)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _typed(hint: Any, value: Any) -> Any:
    """The value with its nested dataclasses and tuples made again; what does not fit the hint stays as it is."""
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value)  # type: ignore[arg-type]
    inner = typing.get_args(hint)
    if isinstance(value, list) and typing.get_origin(hint) is tuple:
        return tuple(_typed(inner[0], item) for item in value)
    if type(None) in inner and value is not None:
        return _typed(inner[0], value)
    return value


def _kept(cls: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(cls) if field.metadata.get("kept", True)]


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
