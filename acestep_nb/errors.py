"""Errors that carry their evidence: which field, what it got, what is allowed, what to do."""

from __future__ import annotations

_SHOWN = 60


class AceStepError(Exception):
    """Something a person can put right; ``str(error)`` is one sentence, then the remedy.

    ``field`` names the knob, file or option at fault, ``value`` is what it got, ``allowed`` says in
    words what it takes and ``remedy`` what to do next. Without a ``message`` the sentence is made of
    the first three: ``bpm must be 30–300 or empty; got 12.``
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        value: object = None,
        allowed: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        self.remedy = remedy
        self._plain = not message
        super().__init__(message or self._sentence(field))

    def __str__(self) -> str:
        return self._with_remedy(str(self.args[0]))

    def told(self, name: str) -> str:
        """What ``str(error)`` says, in the language of now where it is made of the parts, its field called ``name``."""
        return self._with_remedy(self._sentence(name) if self._plain else str(self.args[0]))

    def _with_remedy(self, sentence: str) -> str:
        return f"{sentence.rstrip('.')}. {self.remedy}" if self.remedy else sentence

    def _sentence(self, name: str | None) -> str:
        from acestep_nb.locales import _  # which raises errors itself

        subject = name or _("the value")
        if self.allowed is None:
            return _("{field} cannot be {value}", field=subject, value=shown(self.value))
        return _(
            "{field} must be {allowed}; got {value}",
            field=subject,
            allowed=self.allowed,
            value=shown(self.value),
        )

    def to_dict(self) -> dict[str, str | None]:
        """The error as plain JSON values, for programs that read our output."""
        return {
            "type": type(self).__name__,
            "message": str(self),
            "field": self.field,
            "value": None if self.value is None else _short(self.value),
            "allowed": self.allowed,
            "remedy": self.remedy,
        }


class InputError(AceStepError):
    """A word, number or file that was asked for cannot be used."""


class CheckpointError(AceStepError):
    """A model's files are missing, damaged or of a kind that is not loaded."""


class ProjectError(AceStepError):
    """The project folder cannot be read or written."""


class RenderError(AceStepError):
    """The model ran, and what came out is not music (NaN, Inf or silence)."""


class Cancelled(AceStepError):  # noqa: N818 - a person's wish, not a mistake
    """The person pressed Stop; takes that were ready are kept."""


def shown(value: object) -> str:
    """A value short enough for one line, text in quotes: long text is cut and its length told."""
    short = _short(value)
    return f"'{short}'" if isinstance(value, str) and len(value) <= _SHOWN else short


def first_line(error: BaseException) -> str:
    """What a library's error says in its first line; its type where it says nothing."""
    return str(error).strip().partition("\n")[0].strip() or type(error).__name__


def _short(value: object) -> str:
    try:
        whole = str(value)
    except Exception:  # numbers of more than 4,300 digits have no text, and strange values may do anything
        return f"a value of the type {type(value).__name__}"
    text = " ".join(whole.encode("utf-8", "backslashreplace").decode().split())
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN].rstrip()}… ({len(whole):,} characters)"
