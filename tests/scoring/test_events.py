"""Events: how many windows they take, what they cover, and that they do not flood."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.scoring import LiveWindow
from seqflow.scoring.events import Events, Noted, windows_in_a_row

RATE = 0.05


def windows(p_values: list[float | None]) -> list[LiveWindow]:
    return [
        LiveWindow(
            10 * i,
            10 * i + 20,
            "ok",
            0.0,
            score=None if p is None else -np.log(p),
            p_value=p,
            alarm=None if p is None else p <= RATE,
            peak=10 * i + 5,
        )
        for i, p in enumerate(p_values)
    ]


def run(events: Events, p_values: list[float | None]) -> list[tuple[str, int, int, int]]:
    found = [one for window in windows(p_values) for one in map(copied, events.add(window))]
    return found + [copied(one) for one in events.finish()]


def copied(noted: Noted) -> tuple[str, int, int, int]:
    """What it says now: an event that has begun goes on to grow."""
    return noted.kind, noted.event.start, noted.event.peak, noted.event.end


def test_onset_peak_and_end() -> None:
    calm, alarm, between = 0.9, 0.04, 0.1
    found = run(
        Events(RATE, 2, 3), [calm, alarm, calm, alarm, 0.01, between, calm, between, calm, calm, calm]
    )
    assert found == [("onset", 30, 45, 60), ("event", 30, 45, 90)]
    assert run(Events(RATE, 1, 3), [alarm]) == [("onset", 0, 5, 20), ("event", 0, 5, 20)]
    assert run(Events(RATE, 1, 2), [None, None, None]) == []


def test_flooding_is_bounded_whatever_comes() -> None:
    found = run(Events(RATE, 2, 4), [0.01, 0.01, 0.9, 0.9, 0.9] * 200)
    assert len(found) == 2  # breaks shorter than that are none
    found = run(Events(RATE, 2, 3), [0.01, 0.01, 0.9, 0.9, 0.9] * 200)
    assert len(found) == 2 * 200 == 2 * 1000 / (2 + 3)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_chance_makes_no_more_than_an_event_a_day(rate: float) -> None:
    """Independent windows, a `day` of 2,000 of them, 50 days."""
    onset = windows_in_a_row(rate, 2000, 1)
    assert rate**onset * 2000 <= 1 < rate ** (onset - 1) * 2000
    assert windows_in_a_row(rate, 2000, 3) == 3 * (onset - 1) + 1
    rng = np.random.default_rng(0)
    events = Events(rate, onset, 2)
    for p in rng.random(100_000):
        events.add(LiveWindow(0, 1, "ok", 0.0, score=0.0, p_value=float(p), alarm=bool(p <= rate)))
    assert events.count <= 50 + 3 * np.sqrt(50)


def test_it_goes_on_from_a_state() -> None:
    one, other = Events(RATE, 2, 3), Events(RATE, 2, 3)
    for window in windows([0.01, 0.01, 0.01]):
        one.add(window)
    other.restore(one.state())
    assert one.finish() == other.finish() != []
