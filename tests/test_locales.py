import string

import pytest

from acestep_nb import InputError, locales
from acestep_nb.locales import INTERFACE, _, catalogue, language, later
from acestep_nb.widgets.spoken import Spoken


@pytest.fixture(autouse=True)
def english():
    yield
    language("en")


def known(monkeypatch, words: dict[str, str]) -> None:
    """Let these be all that the catalogues hold."""
    monkeypatch.setattr(locales, "catalogue", lambda code: {} if code == "en" else words)


def test_a_sentence_is_its_own_english():
    assert language() == "en"
    assert _("Generate") == "Generate" == later("Generate")
    assert _("{count} takes", count=3) == "3 takes"
    assert _("a {brace} without values") == "a {brace} without values"


def test_the_language_is_switched_and_what_it_lacks_stays_english(monkeypatch):
    known(monkeypatch, {"Generate": "生成", "{count} takes": "テイク {count} 件"})
    assert language("ja") == language() == "ja"
    assert (_("Generate"), _("{count} takes", count=3), _("Stop")) == ("生成", "テイク 3 件", "Stop")
    assert (language("en"), _("Generate")) == ("en", "Generate")


def test_a_language_that_is_proposed_gives_way_to_one_that_was_chosen(monkeypatch):
    monkeypatch.setattr(locales, "_chosen", "")
    monkeypatch.setattr(locales, "_proposed", "")
    for code in ("", "tlh"):
        locales.propose(code)
        assert language() == "en"
    locales.propose("ja")
    assert language() == "ja"
    locales.propose("zh")
    assert language() == "zh", "what the project before kept was not chosen"
    assert language("en") == "en"
    locales.propose("ja")
    assert language() == "en"


@pytest.mark.parametrize("code", ["de", "", "EN", 3])
def test_a_language_that_is_not_there_is_told(code):
    with pytest.raises(InputError, match="en, ja, zh") as caught:
        language(code)
    assert caught.value.remedy and language() == "en"


def test_a_catalogue_is_read_as_translators_write_it(tmp_path, monkeypatch):
    text = r"""
# a remark
msgid ""
msgstr "Language: ja\n"

#: panels/view.py
msgid ""
"two "
"\"pieces\"\n"
msgstr ""
"二つ\n"
"の「片」"

msgid "not yet"
msgstr ""
"""
    (tmp_path / "ja.po").write_text(text, "utf-8")
    monkeypatch.setattr(locales, "FOLDER", tmp_path)
    assert catalogue.__wrapped__("ja") == {'two "pieces"\n': "二つ\nの「片」"}


def test_a_widget_hands_its_words_on(monkeypatch):
    known(monkeypatch, {"Play": "再生", "Stop": "停止"})

    class Deck(Spoken):
        _esm = "export default {}"
        says = ("Play", "Pause")

    assert Deck().words == {}
    language("ja")
    assert Deck().words == {"Play": "再生"}


@pytest.mark.parametrize("code", [code for code in INTERFACE if code != "en"])
def test_a_translation_has_the_places_of_the_english(code):
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for english, told in catalogue(code).items():
        if places(english):
            assert places(told) == places(english), english
