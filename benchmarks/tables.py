"""Peak memory of scoring tables, short and many times as long, as CSV and as Parquet.

    OMP_NUM_THREADS=1 python benchmarks/tables.py [--sizes 0.2 4] [--folder FOLDER] [--out FOLDER]

Makes CSV files of these sizes (GB, 10^9 bytes) and Parquet files of the same rows, block by block: time
stamps of 100 Hz as text or as what they are, and four channels of noise that repeats after 262,144 rows, in
steps of 0.001. `seqflow score` then runs on each in a process of its own, with a model of a whitening alone,
windows of 1024 and hops as long. Memory is the highest resident size of that process. The files lie in a
temporary folder below FOLDER and go at the end; so do the numbers that the command itself writes there, about
as much again. Writes tables.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

_ROWS = 1 << 18
_NAMES = ("a", "b", "c", "d")
_GB = 10**9

RECIPE = """
name: tables
data: {kind: series, root: ., window: 1024, rate: 100}
model: {layers: [{kind: standardize}, {kind: whitening, taps: 8}]}
score: {hop: 1024, terms: [nll], smoothing: [1]}
"""


def noise() -> np.ndarray:
    """One block of rows (n, 4), first-order autoregressive in time."""
    from scipy.signal import lfilter

    white = np.random.default_rng(0).standard_normal((_ROWS, len(_NAMES)))
    return np.asarray(lfilter([0.6], [1.0, -0.8], white, axis=0).round(3))


def make_tables(folder: Path, size: float) -> dict[str, Path]:
    """A CSV file of so many GB, and a Parquet file of the same rows."""
    values = noise()
    paths = {kind: folder / f"{size:g}.{kind}" for kind in ("csv", "parquet")}
    schema = pa.schema([("time", pa.timestamp("ms")), *((name, pa.float64()) for name in _NAMES)])
    first = np.datetime64("2024-01-01T00:00:00.000", "ms")
    with (
        paths["csv"].open("wb") as text,
        pyarrow.csv.CSVWriter(text, schema) as csv,
        pyarrow.parquet.ParquetWriter(paths["parquet"], schema) as parquet,
    ):
        start = 0
        while text.tell() < size * _GB:
            stamps = first + np.timedelta64(10, "ms") * np.arange(start, start + _ROWS)
            table = pa.table([stamps, *values.T], schema=schema)
            csv.write_table(table)
            parquet.write_table(table)
            start += _ROWS
    return paths


def make_model(path: Path) -> None:
    """The model, calibrated on noise."""
    import torch

    from seqflow.build import build_flow
    from seqflow.data.recording import ArrayRecording
    from seqflow.model import Model
    from seqflow.recipe import parse
    from seqflow.scoring import calibrate

    recipe = parse(RECIPE, "tables.yaml")
    values = noise().T.astype(np.float32)
    flow = build_flow(recipe, len(_NAMES), 100.0, 0.001)
    windows = values[:, : 1 << 17].reshape(len(_NAMES), -1, 1024).transpose(1, 0, 2)
    flow.initialize(torch.from_numpy(np.ascontiguousarray(windows)))
    held = [
        ArrayRecording(part, name=f"c{i}", rate=100.0, step=0.001, channel_names=_NAMES)
        for i, part in enumerate(np.split(values[:, 1 << 17 :], 32, axis=1))
    ]
    calibration = calibrate(flow.eval(), held, recipe.score, window=1024)
    Model(flow, recipe, calibration, rate=100.0, step=0.001, channel_names=_NAMES).save(path)


def score(model: Path, table: Path, folder: Path) -> dict[str, Any]:
    """Peak memory (bytes), seconds and row of one `seqflow score`."""
    command = [sys.executable, __file__, "--child", str(model), str(table)]
    begin = time.monotonic()
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, timeout=7200
    )
    if done.returncode:
        raise SystemExit(f"seqflow score {table.name}: exit {done.returncode}: {done.stderr}")
    *_, row, peak = done.stdout.strip().splitlines()
    return {"seconds": time.monotonic() - begin, "peak": int(peak), "row": json.loads(row)}


def child(model: str, table: str) -> None:
    """The command in this process, then the peak of its resident size."""
    from seqflow_cli.main import run

    code = run(["score", model, table, "--json"])
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    print(next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")))
    raise SystemExit(code)


def main() -> None:
    """Make the files, score them, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.2, 4.0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.child:
        child(*words.child)
    rows, peaks, nll = [], {}, {}
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        folder = Path(name)
        make_model(folder / "model.safetensors")
        for size in words.sizes:
            for kind, path in make_tables(folder, size).items():
                found = score(folder / "model.safetensors", path, folder)
                row = found["row"]
                peaks[kind, size], nll[kind, size] = found["peak"], row["nll"]
                rows.append(
                    f"| {kind} | {path.stat().st_size / _GB:.2f} GB | {row['samples']:,} | "
                    f"{found['peak'] / 1e6:,.0f} MB | {found['seconds']:,.0f} s |"
                )
                print(rows[-1], row["status"], row["nll"], flush=True)
                path.unlink()
    report = _report(rows, words.sizes, peaks, nll)
    print(report)
    if words.out is not None:
        (words.out / "tables.md").write_text(report, encoding="utf-8")


def _report(
    rows: list[str],
    sizes: list[float],
    peaks: dict[tuple[str, float], int],
    nll: dict[tuple[str, float], float],
) -> str:
    from seqflow.jobs.machine import machine

    on = machine()
    low, high = min(sizes), max(sizes)
    ratios = [f"{kind} {peaks[kind, high] / peaks[kind, low]:.3f}" for kind in ("csv", "parquet")]
    same = all(nll["csv", size] == nll["parquet", size] for size in sizes)
    lines = [
        "# Memory of scoring tables",
        "",
        f"{on['cpu']}, {on['cores']} cores; torch {on['torch']}, {on['threads']} thread. Made by "
        "`benchmarks/tables.py`: `seqflow score` with a whitening alone, windows and hops of 1,024 samples, "
        "on tables of four channels with time stamps. Highest resident size of its process, Python and torch "
        "included, and its wall time, opening the file included.",
        "",
        "| table | size | rows | peak memory | time |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"From the smallest to the largest size memory grows by the factors: {', '.join(ratios)}. The "
        f"negative log-likelihoods of the CSV and the Parquet file of the same rows are "
        f"{'the same to the bit' if same else 'NOT the same'}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
