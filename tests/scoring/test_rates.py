"""False alarms per hour: what they come to per block, and which of them can be promised."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from block_calibration import block_calibration

from seqflow.errors import UsageError
from seqflow.recipe import ScoreConfig
from seqflow.scoring.compare import Comparisons
from seqflow.scoring.judge import Scorer

BLOCKS = block_calibration(99)
HZ = 100.0
PER_HOUR = 3600.0 * HZ / 12.0


def rate(per_hour: float, windows: int | None = None, hz: float | None = HZ, tail: bool = False) -> float:
    config = ScoreConfig(alarms_per_hour=per_hour, tail="pareto" if tail else None, terms=("nll",))
    return Comparisons(config, BLOCKS, hz, windows).rate


def test_a_number_per_hour_is_a_rate_per_block() -> None:
    assert rate(3000.0) == pytest.approx(3000.0 / PER_HOUR) == pytest.approx(0.1)
    # An event of a stream needs 6 windows in a row, twice as many as a block: each may alarm twice as often.
    assert rate(3000.0, windows=6) == pytest.approx(0.2)
    config = ScoreConfig(alarms_per_hour=3000.0, alarm_rate=0.5, terms=("nll",))
    assert Scorer(config, BLOCKS, None, hz=HZ).rate == pytest.approx(0.1)


@pytest.mark.parametrize("windows", [None, 1, 6, 50])
def test_the_number_that_is_named_can_be_had(windows: int | None) -> None:
    with pytest.raises(UsageError) as refused:
        rate(1e-9, windows)
    found = re.search(
        r"smallest attainable rate (\S+) with 99 calibration blocks of 0\.16 s", str(refused.value)
    )
    assert found and "(--alarms-per-hour)" in str(refused.value)
    assert rate(float(found[1]), windows) == pytest.approx(0.01, rel=0.01)
    assert float(found[1]) == pytest.approx(0.01 * PER_HOUR * 3 / (windows or 3), rel=0.01)


def test_the_hours_that_are_named_would_do() -> None:
    """A thousandth of the blocks: 999 blocks of 0.16 s that share no sample."""
    with pytest.raises(UsageError, match=r"calibrate on 0\.0444 hours") as refused:
        rate(0.001 * PER_HOUR)
    assert "0.0444" in f"{refused.value}" and pytest.approx(0.0444) == 999 * 0.16 / 3600


def test_numbers_that_make_no_sense() -> None:
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="must be positive"):
            Comparisons(ScoreConfig(terms=("nll",)).model_copy(update={"alarms_per_hour": bad}), BLOCKS, HZ)
    with pytest.raises(UsageError, match=r"no less than there are blocks in an hour, 3e\+04"):
        rate(PER_HOUR)
    with pytest.raises(UsageError, match="the model has no rate, so hours mean nothing"):
        rate(10.0, hz=None)
    whole = replace(BLOCKS, unit="recording", per_unit=0)
    with pytest.raises(UsageError, match=r"compares whole recordings \(99\).*--alarms-per-hour R"):
        Comparisons(ScoreConfig(alarms_per_hour=10.0), whole, HZ)


def test_a_tail_reaches_ten_times_lower() -> None:
    more = replace(BLOCKS, units=np.random.default_rng(0).standard_normal((199, 1)))
    for config, least in (
        (ScoreConfig(terms=("nll",), alarm_rate=0.9), 1 / 200),
        (ScoreConfig(terms=("nll",), alarm_rate=0.9, tail="pareto"), 1 / 2000),
    ):
        found = Comparisons(config, more, HZ)
        assert found.smallest == pytest.approx(least)
        assert found.smallest_per_hour == pytest.approx(least * PER_HOUR)
        Comparisons(config.model_copy(update={"alarm_rate": least}), more, HZ)
        with pytest.raises(UsageError, match="below the smallest attainable rate"):
            Comparisons(config.model_copy(update={"alarm_rate": 0.9 * least}), more, HZ)
    with pytest.raises(UsageError, match=r"a Pareto tail needs 100 calibration units.*there are 99"):
        rate(3000.0, tail=True)
