"""Every sentence that a person sees is in every catalogue, and every widget hands its browser half what that says."""

from __future__ import annotations

import re
import string

import catalogues
import pytest

import acestep_nb.panels
import acestep_nb.widgets  # noqa: F401 - so that every widget is known
from acestep_nb import locales
from acestep_nb.locales import FOLDER, INTERFACE, catalogue
from acestep_nb.widgets.spoken import Spoken

TRANSLATED = [code for code in INTERFACE if code != "en"]
SAME = {"Alpha", "Top k", "Top p", "Euler", "Heun", "{count} of {limit}"}
"""Sentences that a language may leave as they are."""


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.fixture(scope="module")
def messages() -> dict[str, str]:
    return catalogues.messages()


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_sentence_is_missing_and_none_is_left_over(messages, code):
    told = catalogue(code)
    missing = {text: place for text, place in messages.items() if text not in told}
    assert not missing, "run `python tests/catalogues.py` and translate what is new"
    assert not told.keys() - messages.keys(), "run `python tests/catalogues.py`"


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_is_written_as_the_tool_writes_it(messages, code):
    assert (FOLDER / f"{code}.po").read_text("utf-8") == catalogues.written(code, catalogue(code))


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_is_one_and_has_the_places_of_the_english(messages, code):
    for english, told in catalogue(code).items():
        if places(english):
            assert places(told) == places(english), english
        assert told != english or english in SAME, english
        assert told.strip() == told and not (told.isascii() and english not in SAME), english


def test_a_new_sentence_is_found(tmp_path):
    source = 'x = _("One {a}", a=1) + later("Two " "more")\nknob.label = _(rule.label)\n'
    assert list(catalogues._marked(source, "x.py")) == ["One {a}", "Two more"]
    with pytest.raises(AssertionError, match=r"x\.py:1"):
        list(catalogues._marked('_(f"{count} takes")', "x.py"))
    assert {"Tempo", "Steps", "Play", "Generate"} <= set(catalogues.messages())


def widgets(base: type[Spoken] = Spoken) -> list[type[Spoken]]:
    return [cls for sub in base.__subclasses__() for cls in (sub, *widgets(sub))]


@pytest.mark.parametrize(
    "cls", [one for one in widgets() if hasattr(one, "_esm")], ids=lambda cls: cls.__name__
)
def test_a_widget_has_the_words_of_its_browser_half(cls):
    """What the bundle says with `t("…")` stands in `says`, and nothing that it does not say."""
    bundle = str(cls._esm)
    said = {
        text
        for text in catalogues.in_browser()
        if re.search(rf"""\b\w\(\s*{re.escape(f'"{text}"')}""", bundle)
    }
    assert said <= set(cls.says)
    assert {text for text in cls.says if text not in bundle} == set()


def test_a_catalogue_that_is_gone_is_no_reason_to_fail_in_english(monkeypatch, tmp_path):
    monkeypatch.setattr(locales, "FOLDER", tmp_path)
    assert locales._("Play") == "Play"
