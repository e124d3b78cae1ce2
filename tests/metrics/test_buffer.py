"""The buffer window of a series against its definition, and against the tables that TSB-AD gives."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import argrelextrema

from seqflow.metrics import estimate_window, read_windows

SHARED = os.environ.get("SEQFLOW_SHARED")


def slow(x: np.ndarray) -> int:
    """The definition, lag by lag."""
    x = x[:20_000] - x[:20_000].mean()
    lags = range(min(401, len(x)))
    correlation = np.array([x[lag:] @ x[: len(x) - lag] for lag in lags]) / (x @ x)
    places = argrelextrema(correlation[3:], np.greater)[0] + 3
    if not len(places):
        return 125
    best = places[np.argmax(correlation[places])]
    return int(best) if 6 <= best <= 303 else 125


@pytest.mark.parametrize("period", [6, 7, 24, 100, 288, 303])
def test_a_period_is_found(period: int) -> None:
    t = np.arange(20 * period)
    x = np.sin(2 * np.pi * t / period) + 0.05 * np.random.default_rng(period).standard_normal(len(t))
    assert abs(estimate_window(x) - period) <= 1
    assert estimate_window(1e200 * x) == estimate_window(x) == slow(x)


@pytest.mark.parametrize("seed", range(12))
def test_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.convolve(
        rng.standard_normal(int(rng.integers(8, 3000))), rng.standard_normal(1 + 9 * seed), "same"
    )
    assert estimate_window(x + 5.0) == slow(x + 5.0)


def test_what_has_none() -> None:
    t = np.arange(3000)
    assert estimate_window(np.sin(2 * np.pi * t / 4.5)) == slow(np.sin(2 * np.pi * t / 4.5))
    assert estimate_window(np.tile([0.0, 1.0, 2.0, 1.0], 500) + 1e-3 * np.sin(t[:2000])) == 125
    assert estimate_window(np.where(t % 350 < 3, 1.0, 0.0)) == 125
    for x in (t, np.full(3000, 3.0), t[:1], t[:5], t[:0]):
        assert estimate_window(x) == 125


def test_only_the_beginning_counts() -> None:
    t = np.arange(30_000)
    x = np.where(t < 20_000, np.sin(2 * np.pi * t / 50), 100.0 * np.sin(2 * np.pi * t / 90))
    assert estimate_window(x) == 50


def test_what_is_no_channel() -> None:
    with pytest.raises(ValueError, match="one channel"):
        estimate_window(np.zeros((2, 50)))
    with pytest.raises(ValueError, match="1 of 3 are not finite"):
        estimate_window([0.0, np.nan, 1.0])


if SHARED:

    @pytest.mark.shared
    @pytest.mark.parametrize("kind", ["u", "m"])
    def test_the_published_windows(kind: str) -> None:
        root = Path(str(SHARED))
        root = root / "data" if (root / "data").is_dir() else root
        windows = read_windows(root / "tables" / f"windows_{kind}.csv")
        paths = sorted((root / f"tsb_ad_{kind}").glob("*.csv"))
        assert paths
        for path in paths:
            x = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=0, max_rows=20_000)
            assert estimate_window(x) == windows[path.name], path.name
