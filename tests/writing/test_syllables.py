import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb.languages import LANGUAGES
from acestep_nb.writing import morae, syllables

LINES = json.loads((Path(__file__).parent / "fixtures/syllable_lines.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("half", ["development", "report"])
def test_lines_in_five_languages_are_counted(half):
    rows = [row for row in LINES if row["half"] == half]
    wrong = [row for row in rows if syllables(row["line"], row["language"]) != row["syllables"]]
    print(f"{half}: {len(rows) - len(wrong)} of {len(rows)} lines exact")
    assert len(rows) == 100 and {row["language"] for row in rows} == {"en", "ja", "zh", "ko", "es"}
    assert len(wrong) <= 0.05 * len(rows), wrong


@pytest.mark.parametrize(
    ("line", "language", "count"),
    [
        ("[whispered] come closer (closer)", "en", 3),
        ("", "en", 0),
        ("…!? —", "en", 0),
        ("TV DJ", "en", 4),
        ("1984", "en", 5),
        ("I couldn't've known", "en", 5),
        ("played, stayed, wanted, tangled", "en", 6),
        ("treinta y 2 y 42", "es", 10),
        ("ah ah ah", "es", 3),
        ("Nation und Gefühl", "de", 6),
        ("la petite fille chante", "fr", 5),
        ("ぎゅっとして", "ja", 5),
        ("ねぇ", "ja", 2),
        ("ウィスキー", "ja", 4),
        ("24", "ja", 5),
        ("여어어 사랑", "ko", 3),
        ("24年", "zh", 4),
        ("Дорогой длинною", "ru", 7),
        ("θάλασσα", "el", 3),
        ("caffè e pianoforte", "it", 7),
    ],
)
def test_corners(line, language, count):
    assert syllables(line, language) == count


@pytest.mark.parametrize(
    ("line", "count"), [("夢を見る", 5), ("月光洒在窗台上", 7), ("사랑해", 3), ("hello there", 3)]
)
def test_without_a_language_the_script_decides(line, count):
    assert syllables(line) == syllables(line, "unknown") == count


@pytest.mark.parametrize(
    ("held", "plain", "language"),
    [
        ("Feeeling so aliiive", "Feeling so alive", "en"),
        ("baaaby, lo-o-ove", "baby, love", "en"),
        ("bailaaamos", "bailamos", "es"),
        ("너어어어", "너", "ko"),
        ("ずっとーーー", "ずっとー", "ja"),
    ],
)
def test_a_held_vowel_counts_once(held, plain, language):
    assert syllables(held, language) == syllables(plain, language)


@given(st.text(max_size=60), st.none() | st.sampled_from(sorted(LANGUAGES)))
def test_any_line_in_any_language_has_a_count(line, language):
    assert syllables(line, language) >= 0


@given(
    st.lists(
        st.sampled_from(["river", "stone", "quiet", "나는", "夢", "ventana", "窗", "길", "ひかり"]),
        max_size=5,
    )
)
def test_words_add_up(words):
    assert syllables(" ".join(words), "en") == sum(syllables(word, "en") for word in words)


def japanese():
    return [row for row in LINES if row["language"] == "ja"]


def test_kanji_are_read_by_a_dictionary():
    assert syllables("薔薇が咲いた", "ja") == 6
    assert morae.to_kana("電車") == "デンシャ"


def test_without_a_dictionary_kanji_are_estimated(monkeypatch):
    monkeypatch.setitem(sys.modules, "fugashi", None)
    morae._tagger.cache_clear()
    try:
        off = [abs(syllables(row["line"], "ja") - row["syllables"]) for row in japanese()]
    finally:
        morae._tagger.cache_clear()
    assert sum(error == 0 for error in off) >= 0.7 * len(off)
    assert max(off) <= 2
