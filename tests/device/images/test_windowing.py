"""Which values deep samples use: depths and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from edge_app.images import windowing
from edge_app.images.windowing import histogram, looked_up, middle, significant_bits


@pytest.mark.parametrize(
    ("maximum", "bits"),
    [
        *((0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14)),
        *((16383, 14), (16384, 16), (65535, 16)),
    ],
)
def test_the_smallest_usual_depth_that_holds_the_maximum(maximum: int, bits: int) -> None:
    assert significant_bits(maximum) == bits


SAMPLES = arrays.arrays(
    np.uint16, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 1023)
)


@given(SAMPLES)
def test_every_pixel_is_counted_in_whatever_pieces(samples: NDArray[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windowing, "PIECE", 7)
        counts = histogram(samples, 10)
    np.testing.assert_array_equal(counts, np.histogram(samples, bins=np.arange(1025))[0])


@given(SAMPLES)
def test_the_middle_is_between_the_percentiles(samples: NDArray[Any]) -> None:
    ends = np.quantile(samples, (0.005, 0.995), method="inverted_cdf")
    assert middle(histogram(samples, 10)) == tuple(ends)


def test_a_thread_of_60_000_rows_is_counted() -> None:
    """Counting row by row takes 65536 additions for each of them."""
    samples = np.arange(60_000, dtype=np.uint16).reshape(-1, 1)
    assert histogram(samples, 16).sum() == 60_000


@pytest.mark.parametrize("shape", [(3, 5), (700, 1000)])
def test_words_are_looked_up_alike_in_one_piece_and_in_several(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    table = generator.integers(0, 256, 4096).astype(np.uint8)
    words = generator.integers(0, 4096, shape).astype(np.uint16)
    shown = looked_up(table, words)
    assert (shown.dtype, shown.flags.c_contiguous) == (np.uint8, True)
    np.testing.assert_array_equal(shown, table[words])


def test_a_word_beyond_the_table_is_refused() -> None:
    with pytest.raises(IndexError):
        looked_up(np.zeros(256, np.uint8), np.array([[0, 256]], np.uint16))
