import subprocess
import sys
from collections import Counter

import pytest

from acestep_nb import InputError, Song
from acestep_nb.writing import DIMENSIONS, TAGS, dice, lint, parse
from acestep_nb.writing.dice import genres

WHOLE = 66


def test_nine_dimensions_with_words_and_no_word_twice_in_one():
    assert [dimension.key for dimension in DIMENSIONS] == [
        *("genre", "mood", "instruments", "timbre", "era", "production", "vocal", "rhythm", "structure")
    ]
    for dimension in DIMENSIONS:
        assert len(dimension.words) >= 7 and len(set(dimension.words)) == len(dimension.words)


def test_a_word_of_each_dimension_makes_a_caption_without_warnings():
    for place in range(5):
        words = [dimension.words[place] for dimension in DIMENSIONS]
        assert not [hint for hint in lint(Song(caption=", ".join(words))) if hint.severity != "info"]


def test_every_tag_of_the_palette_is_parsed_as_its_group_says():
    for group in TAGS:
        for tag in group.tags:
            (only,) = parse(f"[{tag.text}]").tags
            assert only.kind == group.key if group.key in ("voice", "energy") else only.kind != "other"
            assert tag.meaning


def test_sixty_songs_over_genres_and_languages():
    rolled = [dice(seed) for seed in range(WHOLE)]
    assert len({song.caption for song in rolled}) == WHOLE >= 60, "each song once before any comes again"
    assert len(genres()) >= 20
    assert len({song.vocal_language for song in rolled}) >= 9


def test_the_same_seed_rolls_the_same_song():
    assert [dice(seed) for seed in range(9)] == [dice(seed) for seed in range(9)]
    assert [dice(seed) for seed in range(9)] != [dice(WHOLE + seed) for seed in range(9)]
    assert isinstance(dice(-3), Song) and isinstance(dice(2**63), Song)


def test_dice_can_be_loaded():
    assert {dice(seed, language="ja").vocal_language for seed in range(20)} == {"ja"}
    assert all(parse(dice(seed, genre="ambient").lyrics).tags for seed in range(3))
    assert dice(1, genre="jazz", language="zh").vocal_language == "zh"


@pytest.mark.parametrize(
    "wish", [{"genre": "gabber"}, {"language": "sw"}, {"genre": "metal", "language": "ko"}]
)
def test_what_the_dice_do_not_have_is_told(wish):
    with pytest.raises(InputError) as caught:
        dice(1, **wish)
    assert caught.value.field in wish and caught.value.allowed and caught.value.remedy


def test_every_song_of_the_dice_follows_the_guide():
    told = Counter(hint.severity for seed in range(WHOLE) for hint in lint(dice(seed)))
    assert told["warning"] == told["error"] == 0
    assert told["info"] <= 3


def test_writing_is_quick_to_import():
    heavy = "{'torch', 'ipywidgets', 'numpy', 'fugashi', 'transformers'}"
    code = f"import sys, acestep_nb.writing; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
