"""A recording judged block by block."""

from __future__ import annotations

import numpy as np
import pytest
from small import Array

from seqflow.scoring import Calibration
from seqflow.scoring.fuse import fuse, simes
from seqflow.scoring.judge import Judge

RNG = np.random.default_rng(0)
# nll is pooled by mean, energy by maximum.
BLOCKS = Calibration(
    terms=("nll", "energy"),
    window=8,
    hop=4,
    smoothing=(1,),
    unit="block",
    per_unit=3,
    statistics={"nll": {}, "energy": {"mean": np.zeros(1), "variance": np.ones(1)}},
    heights=np.array([[0.0, 0.0], [1.0, 1.0]]),
    units=RNG.standard_normal((30, 2)),
)


def pooled(rows: Array) -> Array:
    return np.array([rows[:, 0].mean(), rows[:, 1].max()])


@pytest.mark.parametrize(
    ("windows", "blocks"),
    [
        (1, [(0, 1)]),
        (3, [(0, 3)]),
        (8, [(0, 3), (3, 6), (5, 8)]),
    ],
)
def test_every_window_belongs_to_a_full_block_where_there_are_enough(
    windows: int, blocks: list[tuple[int, int]]
) -> None:
    rows = RNG.standard_normal((windows, 2))
    judge = Judge(BLOCKS)
    for begin in range(0, windows, 2):
        judge.add(rows[begin : begin + 2])
    found = judge.judgement()
    expected = [fuse(BLOCKS.units, pooled(rows[a:b])) for a, b in blocks]
    worst = min(range(len(blocks)), key=lambda i: (expected[i].p_value, -expected[i].score))
    assert found.score == pytest.approx(expected[worst].score)
    np.testing.assert_allclose(found.terms, pooled(rows[slice(*blocks[worst])]))
    ranks = [round(fused.p_value * 31) - 1 for fused in expected]
    assert found.p_value == simes(np.bincount(ranks, minlength=31))


def test_a_block_beyond_all_that_cannot_alarm_is_told() -> None:
    """Simes asks for p = 8/31 from one block in eight, and 8/(2 * 31) from two."""
    rows = np.zeros((24, 2))
    rows[4] = 100.0
    judge = Judge(BLOCKS)
    judge.add(rows)
    found = judge.judgement()
    assert (found.units, found.beyond, found.p_value) == (8, 1, pytest.approx(8 / 31))
    line = found.unpromised(0.1, 30)
    assert line == (
        "beyond every calibration block, but 30 blocks cannot promise the alarm rate 0.1 for a recording of "
        "8 blocks, 79 could"
    )
    assert not found.unpromised(0.3, 30)  # an alarm
    rows[14] = 100.0
    judge = Judge(BLOCKS)
    judge.add(rows)
    assert judge.judgement().unpromised(0.1, 30).endswith("39 could")
    calm = Judge(BLOCKS)
    calm.add(np.zeros((24, 2)))
    assert calm.judgement().beyond == 0 and not calm.judgement().unpromised(0.001, 30)
