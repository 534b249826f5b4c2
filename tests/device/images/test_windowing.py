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
from edge_app.images.windowing import histogram, middle, significant_bits


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
