"""Pictures of scores: the right things in the right places, readable on any background."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from acestep_nb import InputError, Line, Scores, alignment_map, score_strip
from acestep_nb.scores.lyrics import aligned, lines
from acestep_nb.scores.values import Signal

SIGNAL = Signal(-14.0, -1.0, 0.0, 0.1, 92.0, "A minor", {"bass": 1.0})
TEXTS = ("[Verse]", "\n", "la", " lu", "\n", "$夜$", " 🎵 a line of many words that goes on and on")


@pytest.fixture
def scores():
    attention = np.random.default_rng(0).uniform(0, 0.3, (2, len(TEXTS), 50)).astype(np.float32)
    found, measured = aligned(TEXTS, attention, 4.0)
    return Scores("", SIGNAL, measured.score, lines=lines(found), alignment=found)


def test_the_map_shows_energy_path_and_lines(scores):
    chart, bars = alignment_map(scores).axes
    [image] = chart.images
    assert np.array_equal(image.get_array(), scores.alignment.energy) and image.get_extent()[:2] == [0, 4.0]
    [path] = chart.lines
    assert len(path.get_xdata()) == len(scores.alignment.path)
    labels = [label.get_text() for label in chart.get_yticklabels()]
    assert (
        labels[:2] == ["[Verse]", "la lu"] and labels[2].startswith("$夜$ 🎵 a line") and len(labels[2]) == 32
    )
    assert [bar.get_width() for bar in bars.patches] == [
        max(line.clarity or 0.0, 0.0) for line in scores.lines
    ]


@pytest.mark.parametrize("ground", [(255, 255, 255), (17, 17, 17)])
def test_words_stand_out_on_light_and_dark(scores, ground):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = alignment_map(scores)._repr_png_()
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    assert picture.getpixel((0, picture.height - 1))[3] == 0
    page = Image.new("RGBA", picture.size, (*ground, 255))
    page.alpha_composite(picture)
    margin = np.asarray(page.convert("L"), dtype=float)[:, : picture.width // 5]
    assert np.abs(margin - sum(ground) / 3).max() > 80


def test_the_strip_shows_the_best(scores):
    takes = {"0001": scores, "0002": Scores("", SIGNAL, 0.9), "0003": Scores("", SIGNAL)}
    [axes] = score_strip(takes).axes
    lengths = [bar.get_width() for bar in axes.patches]
    assert lengths == [scores.lyrics_alignment, 0.9, 0.0]
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[0] == colours[2] != colours[1]
    assert [text.get_text().strip() for text in axes.texts][1:] == ["0.900", "–"]


def test_without_an_alignment_the_reason_is_told():
    with pytest.raises(InputError, match="no words"):
        alignment_map(Scores("", SIGNAL, notes=("no words to sing",), lines=(Line("[A]", 0, 1),)))
    with pytest.raises(InputError, match="a Scores"):
        alignment_map(None)  # what an unscored take has
    with pytest.raises(InputError, match="quality"):
        score_strip({"0001": Scores("", SIGNAL)}, by="quality")
