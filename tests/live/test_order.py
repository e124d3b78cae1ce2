"""Rows come out in order, each once; what is late is counted, and gaps are what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.live.order import RESYNC, Gap, Order, Piece
from seqflow.live.row import Row


def row(key: float, *values: float, exact: bool = True) -> Row:
    return Row(np.array([values or (key,)], dtype=np.float64), key, exact)


def put(order: Order, rows: list[Row]) -> list[Piece | Gap]:
    return [piece for one in rows for piece in order.add(one)] + order.flush()


def told(pieces: list[Piece | Gap]) -> list[float | None]:
    """Values in order, None where one is masked; gaps that begin a segment left out."""
    found: list[float | None] = []
    for piece in pieces:
        if isinstance(piece, Piece):
            good = piece.mask[0].tolist()
            found += [x if ok else None for x, ok in zip(piece.values[0].tolist(), good, strict=True)]
    return found


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.integers(0, 15))
def test_shuffled_rows(order: list[int], lost: set[int], wait: int) -> None:
    keys = [key for key in order if key not in lost]
    sorter = Order(1, wait, 100)
    pieces = put(sorter, [row(float(key)) for key in keys])
    values = [x for x in told(pieces) if x is not None]
    assert values == sorted(values) and len(values) + sorter.late == len(keys)
    if wait >= 12:
        assert values == sorted(keys) and sorter.late == 0
        missing = told(pieces).count(None)
        assert missing == (max(keys) - min(keys) + 1 - len(keys) if keys else 0)


def test_nothing_waits_while_rows_come_in_order() -> None:
    order = Order(1, 5, 10)
    put_first = [piece for key in range(10) for piece in order.add(row(float(key)))]
    assert told(put_first) == list(range(10))  # but for the first ones, which may have had one before them


def test_a_short_gap_is_masked_and_a_long_one_begins_a_segment() -> None:
    pieces = put(Order(1, 0, 3), [row(0.0), row(4.0), row(9.0)])
    assert [p for p in pieces if isinstance(p, Gap)] == [Gap(3, True), Gap(4, False)]
    assert told(pieces) == [0.0, None, None, None, 4.0, 9.0]


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
def test_times_may_drift_and_jitter(drift: float) -> None:
    rng = np.random.default_rng(0)
    n = 30_000
    keys = np.arange(n) * (1.0 + drift) + rng.uniform(-0.2, 0.2, n)
    pieces = put(Order(1, 0, 3), [row(float(key), 1.0, exact=False) for key in keys])
    assert told(pieces) == [1.0] * n


def test_a_sender_that_counts_anew_is_followed() -> None:
    order = Order(1, 0, 3)
    pieces = put(order, [row(float(key)) for key in [*range(1000, 1010), *range(RESYNC + 20)]])
    assert Gap(None, False) in pieces
    assert told(pieces)[-1] == RESYNC + 19 and order.late == RESYNC - 1


def test_it_goes_on_from_a_state() -> None:
    one, other = Order(1, 4, 10), Order(1, 4, 10)
    first = [piece for key in (0, 1, 2, 3, 5, 7) for piece in one.add(row(float(key)))]
    other.restore(one.state())
    rest = [row(4.0), row(8.0)]
    assert told(first + put(other, rest)) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, None, 7.0, 8.0]
