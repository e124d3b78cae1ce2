"""Made-up series of TSB-AD, tables on them, and the command lines of its tests."""

from __future__ import annotations

import csv
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seqflow.jobs.pool import Outcome
from seqflow.jobs.tsb_ad_worker import judge

PROGRAM = """
import sys
from quick_detector import Deviation
from seqflow.jobs import tsb_ad_detector
from seqflow_cli.main import run
tsb_ad_detector.find_detector = lambda name: Deviation()
sys.exit(run(sys.argv[1:]))
"""
"""The command with the quick detector, as a program of its own."""
# Name, length, channels, first value, anomalous points; the first two share their labels.
SERIES = {
    "001_NAB_id_1_Facility_tr_200_1st_500.csv": (800, 1, 1.0, (500, 540)),
    "002_NAB_id_2_Facility_tr_100_1st_500.csv": (800, 1, 2.0, (500, 540)),
    "003_UCR_id_1_Sensor_tr_300_1st_700.csv": (1000, 1, 702.0, (700, 701)),
    "004_UCR_id_2_Sensor_tr_400_1st_100.csv": (50_001, 1, 4.0, (100, 900)),
    "005_MSL_id_3_Sensor_tr_250_1st_600.csv": (900, 3, 5.0, (600, 660)),
}
NAMES = list(SERIES)
WINDOWS = dict(zip(NAMES, (10, 7, 0, 40, 125), strict=True))


def write(folder: Path, name: str, rows: np.ndarray, labels: np.ndarray) -> None:
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"v{i}" for i in range(len(rows))), "Label"])
        writer.writerows(
            [*map(repr, map(float, row)), int(label)] for row, label in zip(rows.T, labels, strict=True)
        )


def make(folder: Path) -> Path:
    for number, (name, (length, channels, first, (start, stop))) in enumerate(SERIES.items()):
        rng = np.random.default_rng(number)
        t = np.arange(length)
        rows = np.sin(2 * np.pi * t / (20 + 5 * number)) + 0.3 * rng.standard_normal((channels, length))
        labels = (t >= start) & (t < stop)
        rows[:, labels] += 0.8
        rows[0, 0] = first
        write(folder, name, rows, labels)
    return folder


def words(series: Path, tables: Path | None, out: Path) -> list[object]:
    found: list[object] = ["benchmark", "tsb-ad", series, "--out", out]
    if tables is not None:
        found += ["--windows", tables / "windows.csv", "--published", tables / "published.csv"]
    return found


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "series.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def labels_of(series: Path, name: str) -> np.ndarray:
    return np.genfromtxt(series / name, delimiter=",", skip_header=1)[:, -1]


def make_tables(folder: Path) -> Path:
    """A table of windows, and published values of eight methods for all series but the last."""
    lines = [f"{name},1,{window}" for name, window in WINDOWS.items()]
    (folder / "windows.csv").write_text("\n".join(["file,ts_len,window", *lines]) + "\n")
    rng = np.random.default_rng(0)
    methods = [f"M{i}" for i in range(7)]
    rows = [[name, *rng.uniform(0, 1, 7).round(3), ""] for name in NAMES[:4]]
    rows[0][-1] = 0.999  # the eighth method has one series only
    with (folder / "published.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", *methods, "Rare", "ts_len"], *([*row, 1] for row in rows)])
    return folder


def run_here(
    start: partial[Any], tasks: Sequence[Any], *, workers: int, timeout: float | None
) -> Generator[Outcome, None, None]:
    """`run_tasks` without the seconds that a process takes to start."""
    detect, place = start.args
    for task in tasks:
        yield Outcome(task, "done", judge(detect, place, task).plain())
