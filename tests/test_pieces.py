import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_edits import edit

from acestep_nb import InputError
from acestep_nb.codes import SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.edits import LONGEST, Source
from acestep_nb.pieces import Piece, length_of, pieces_of, splice

SECOND = SAMPLE_RATE


def test_a_whole_source_is_one_piece():
    assert pieces_of(edit(task="cover"), 10 * SECOND) == (Piece((0, 10 * SECOND)),)
    repaint = edit(task="repaint", region=(-2, 12.5))
    assert pieces_of(repaint, 10 * SECOND) == (Piece((0, 10 * SECOND), (-2, 12.5)),)
    assert pieces_of(repaint, 10 * SECOND)[0].seconds == 14.5


def test_context_is_cut_at_frames_and_at_the_ends():
    piece = pieces_of(edit(task="repaint", region=(30.03, 32), context=10), 60 * SECOND)[0]
    assert piece.window == (round(20.0 * SECOND), 42 * SECOND)
    assert piece.region == pytest.approx((10.03, 12.0))
    near = pieces_of(edit(task="repaint", region=(1, 59), context=10), 60 * SECOND)[0]
    assert near == Piece((0, 60 * SECOND), (1, 59))


@given(
    st.integers(SECOND // 10, 400 * SECOND),
    st.floats(0, 5),
    st.floats(0.1, 1000),
    st.integers(3, 90),
    st.integers(1, 240),
)
def test_steps_reach_the_end_and_hear_no_more_than_they_should(samples, overlap, more, step, context):
    length = samples / SECOND
    start, end = max(0.0, length - overlap), length + more
    how = {"task": "repaint", "region": (start, end), "step": step, "context": context}
    pieces = pieces_of(edit(sources=(Source("", "", length),), **how), samples)
    reached = samples
    for piece in pieces:
        first, last = piece.window
        assert last == reached and first % SAMPLES_PER_LATENT == 0
        assert abs((last - first) / SECOND - piece.region[0] - (length - start)) < 1e-3
        assert piece.region[0] <= context + 0.05
        reached = first + round(piece.region[1] * SECOND)
        assert reached - last <= step * SECOND + 2
    assert abs(reached - end * SECOND) <= 2 and reached == round(length_of(pieces, samples) * SECOND)
    assert len(pieces) == max(1, int(np.ceil(more / step - 1e-6)))


@pytest.mark.parametrize("region", [(10.1, 12), (-5, -1)])
def test_a_region_that_would_leave_a_hole_is_refused(region):
    with pytest.raises(InputError) as caught:
        pieces_of(edit(task="repaint", region=region), 10 * SECOND)
    assert caught.value.field == "region" and caught.value.remedy


def test_what_is_too_long_for_one_piece_is_refused():
    long = round((LONGEST + 1) * SECOND)
    for how in ({"task": "cover"}, {"task": "repaint", "region": (5, 9)}):
        with pytest.raises(InputError, match="too long") as caught:
            pieces_of(edit(**how), long)
        assert caught.value.field == "source" and "context=30" in caught.value.remedy
    assert pieces_of(edit(task="repaint", region=(5, 9), context=30), long)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_the_outside_of_a_splice_is_the_source_to_the_bit(one, other, crossfade):
    random = np.random.default_rng(one * 41 + other)
    source, new = random.uniform(-1, 1, (2, 2, 40)).astype(np.float32)
    start, end = sorted((one, other))
    out = splice(source, new, (start, end), crossfade)
    near = np.arange(40)
    outside = (near < start - crossfade) | (near >= end + crossfade)
    assert np.array_equal(out[:, outside], source[:, outside])
    assert np.array_equal(out[:, start:end], new[:, start:end])
    between = np.minimum(source, new) - 1e-6, np.maximum(source, new) + 1e-6
    assert (out >= between[0]).all() and (out <= between[1]).all()


def test_a_splice_fades_in_a_straight_line():
    source, new = np.zeros((2, 12), np.float32), np.ones((2, 12), np.float32)
    out = splice(source, new, (4, 8), 3)
    np.testing.assert_allclose(out[0], [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0], atol=1e-6)
    assert np.array_equal(out[0], out[1]) and not source.any()
    np.testing.assert_array_equal(splice(source, new, (-3, 20), 3), new)
