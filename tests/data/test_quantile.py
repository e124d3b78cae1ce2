"""Medians and sums of numbers that come block by block."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqflow.data.quantile import median, running_sum

FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
    st.sampled_from([-1.0, 0.0, 1.0, 1.0 + 2**-52, 2.0]),
)
NUMBERS = arrays(np.float64, st.integers(1, 40), elements=FLOATS)


@settings(deadline=None)
@given(x=NUMBERS, size=st.integers(1, 41))
def test_the_median_is_that_of_numpy(x: np.ndarray, size: int) -> None:
    assert median(lambda: np.split(x, range(size, len(x), size))) == np.median(x)


@settings(deadline=None)
@given(x=NUMBERS, size=st.integers(1, 41))
def test_a_sum_does_not_depend_on_the_blocks(x: np.ndarray, size: int) -> None:
    total = 0.0
    for block in np.split(x, range(size, len(x), size)):
        total = running_sum(total, block)
    assert total == running_sum(0.0, x) == sum(x.tolist())
