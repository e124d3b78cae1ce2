"""What a batch says of its pace."""

from __future__ import annotations

import pytest

from seqflow_cli import progress
from seqflow_cli.progress import Pace


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    pace = Pace()
    assert pace.text(7) == "0.00 h of signal, 0.0 MB"
    pace.add(1800.0, 5_000_000, fresh=False)  # done before: it says nothing of the speed
    pace.add(1800.0, 1_000_000, fresh=True)
    assert pace.rate() is None
    for _ in range(4):
        now += 0.5
        pace.add(900.0, 500_000, fresh=True)
    assert pace.rate() == pytest.approx(2.0)
    assert pace.text(7) == "2.00 h of signal, 8.0 MB, 2.0 files/s, 0:04 left"
    assert pace.text() == "2.00 h of signal, 8.0 MB, 2.0 files/s"
