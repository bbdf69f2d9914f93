"""Errors that a panel tells outside its fields: in its language, with its own names."""

from __future__ import annotations

import pytest
from panel_helpers import press, said, until

from acestep_nb import InputError, RenderOptions, locales
from acestep_nb.locales import _, language
from acestep_nb.panels.wording import error_in_words
from acestep_nb.params import read_params


@pytest.fixture
def japanese(monkeypatch):
    monkeypatch.setattr(locales, "_chosen", "en")
    language("ja")


def test_a_field_is_called_as_on_the_form(japanese):
    error = InputError(field="inference_steps", value=0, allowed="1–200")
    assert error_in_words(error) == "ステップ数 に使えるのは 1–200 です（入力：0）"
    assert error_in_words(KeyError("x")) == "KeyError: 'x'"


def test_under_a_field_stands_its_own_name_too(japanese, studio):
    form = studio._form
    form.song.views["bpm"].value, form.codes.area.value = 12, "la"
    form.seeds.noise.field.value = "x"
    assert "テンポ に使えるのは 30–300" in said(form.song.views["bpm"].error)
    for own, label in ((form.seeds, _("Noise seeds")), (form.codes, _("Codes"))):
        assert f"{label} に使えるのは" in said(own.error)


def test_a_file_that_cannot_be_opened_is_told_in_the_language_of_the_panel(japanese):
    with pytest.raises(InputError) as caught:
        read_params("[]")
    told = error_in_words(caught.value)
    assert told.startswith("パラメーターを読み取れません：オブジェクトではありません") and told.endswith(
        "ください。"
    )


def test_a_job_that_fails_is_told_in_the_language_of_the_panel(studio, tiny_engine, japanese, monkeypatch):
    def fail(*_arguments, **_named):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(tiny_engine._models.transformer, "forward", fail)
    studio.options = RenderOptions(inference_steps=1)
    press(studio._view.generate, studio)
    until(lambda: studio._view.message.value, what="the message")
    assert "レンダリング中にメモリが足りなくなりました" in said(studio._view.message)
    assert "レンダリング中に" in studio._view.history.text
