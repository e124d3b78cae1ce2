"""`seqflow benchmark events` on made-up series with labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from calls import Seqflow
from small import noise

RECIPE = """
name: labelled
data: {{kind: series, root: {root}, files: ["normal.csv"], label: label, window: 32, rate: 10,
  split: {{by: time, valid: 0.1, calibration: 0.5}}}}
model: {{layers: [{{kind: standardize}}, {{kind: whitening, taps: 8}}]}}
train: {{steps: 2, batch: 4, warmup: 1, validate_every: 1, validate_windows: 4, threads: 1}}
score: {{smoothing: [1, 8]}}
"""


def write(path: Path, seed: int, faults: tuple[tuple[int, int], ...] = (), labels: bool = True) -> None:
    values, marks = noise(seed, 8000)[0], np.zeros(8000, dtype=int)
    for start, end in faults:
        values[start:end] *= 10.0
        marks[start:end] = 1
    column = ",label" if labels else ""
    rows = [f"{v:.6g}" + (f",{m}" if labels else "") for v, m in zip(values, marks, strict=True)]
    path.write_text(f"value{column}\n" + "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from seqflow_cli.main import run

    root = tmp_path_factory.mktemp("labelled")
    write(root / "normal.csv", 0)
    write(root / "bad.csv", 1, ((2000, 2100), (5000, 5050)))
    write(root / "calm.csv", 2)
    write(root / "bare.csv", 3, labels=False)
    (root / "r.yaml").write_text(RECIPE.format(root=root))
    assert run(["train", str(root / "r.yaml"), "--out", str(root / "run"), "--device", "cpu"]) == 0
    return root


def test_events_found_and_how_late(seqflow: Seqflow, folder: Path, tmp_path: Path) -> None:
    words = ("benchmark", "events", folder / "run", folder / "bad.csv", folder / "calm.csv")
    found = seqflow(*words, "--alarms-per-hour", "30", "--json", "--out", tmp_path)
    assert found.code == 0, found.err
    result = found.json
    assert json.loads((tmp_path / "events.json").read_text()) == result
    for way in ("promised", "chosen"):
        one = result[way]
        assert (one["labelled"], one["found"]) == (2, 2) and one["chance"] < 1.0
        assert len(one["delays"]) == 2
    # Known at the end of a block: not before the fault, and no later than two blocks behind its onset.
    assert all(0.0 < delay < 10.0 for delay in result["promised"]["delays"])
    assert result["promised"]["hours"] > result["chosen"]["hours"] > 0.2
    assert result["promised"]["false"] / result["promised"]["hours"] < 120
    assert result["chosen"]["false"] / result["chosen"]["hours"] <= 30
    shown = seqflow(*words, "--alarms-per-hour", "30")
    assert "promised" in shown.out and "by labels" in shown.out
    page = (tmp_path / "events.md").read_text()
    assert "| promised | 2 | 2 |" in page


def test_what_cannot_be_judged(seqflow: Seqflow, folder: Path) -> None:
    words = ("benchmark", "events", folder / "run")
    asked = ("--alarms-per-hour", "30")
    left = seqflow(*words, folder / "bad.csv", folder / "bare.csv", *asked)
    assert left.code == 3 and "bare.csv: left out: has no labels" in left.err
    for path, reason in (("bare.csv", "no recording has a labelled event"), ("calm.csv", "labelled event")):
        none = seqflow(*words, folder / path, *asked)
        assert none.code == 2 and reason in none.err
    missing = seqflow(*words, folder / "bad.csv")
    assert missing.code == 2 and "--alarms-per-hour R" in missing.err
    assert seqflow(*words, folder / "bad.csv", "--alarms-per-hour", "1e-4").code == 2
