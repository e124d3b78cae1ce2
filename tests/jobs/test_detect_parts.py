"""Pieces of `seqflow detect`: spans of normal samples, and where gaps disturb the windows."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.data.filling import fill_lines
from seqflow.data.recording import ArrayRecording
from seqflow.errors import InputError, UsageError
from seqflow.jobs.detect_series import disturbed
from seqflow.jobs.detect_span import span_of


@pytest.mark.parametrize(
    ("text", "count"),
    [(40, 40), ("40", 40), ("500ms", 50), ("1.5 s", 150), ("1m", 6000), ("1min", 6000), ("1h", 360_000)],
)
def test_spans(text: int | str, count: int) -> None:
    span = span_of(text)
    assert span is not None
    assert span.count(ArrayRecording(np.zeros(360_000), rate=100.0)) == count


def test_no_spans() -> None:
    assert span_of(None) is None
    for wrong in ("", "-50", "50.5", "inf", "1w", "0.0s", "1e3", 31):
        with pytest.raises(UsageError):
            span_of(wrong)
    short = ArrayRecording(np.zeros(100), name="short", rate=100.0)
    for text, code in (("2s", "too_short"), ("100ms", "too_short"), (101, "too_short")):
        span = span_of(text)
        assert span is not None
        with pytest.raises(InputError, match=f"short: {code}"):
            span.count(short)


def test_disturbed() -> None:
    mask = np.ones(1000, bool)
    mask[100:103] = False  # 12 < 16: windows of 16 hold three quarters and more
    mask[400:410] = False
    mask[995:] = False
    found = disturbed(mask, longest=30, shortest=16)
    expected = ~mask
    expected[370:440] = True
    expected[975:] = True
    assert np.array_equal(found, expected)
    assert not disturbed(np.ones(5, bool), 30, 16).any()


def test_lines() -> None:
    values = np.array([[0.0, 1.0, 0.0, 0.0, 4.0, 0.0], [0.0] * 6])
    mask = np.array([[False, True, False, False, True, False], [False] * 6])
    filled = fill_lines(values, mask)
    np.testing.assert_allclose(filled, [[1, 1, 2, 3, 4, 4], [0] * 6])
    assert values[0, 2] == 0.0
