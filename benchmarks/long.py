"""Peak memory and speed of scoring one long recording, beside a short one of the same kind.

    python benchmarks/long.py [--hours 10] [--rate 48000] [--formats rf64 flac] [--out benchmarks/results]

Writes recordings of ten minutes and of so many hours, in two channels of 16 bits: noise of a machine with a
hum that wanders, and a burst of 50 ms near the end. A small model is trained on two minutes of its own, and
`seqflow score` scores each file in a process of its own, whose highest resident set the system tells.
RF64 holds more than 4 GiB, which WAV cannot say. The burst has to be found, to the second, else the
benchmark ends.
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
from typing import Any, NamedTuple

import numpy as np
import soundfile

import seqflow
from seqflow.jobs.machine import machine

BURST_BEFORE_END = 97.3
"""Seconds."""
SHORT = 600.0

RECIPE = """\
name: long
data:
  kind: audio
  root: {root}
  channels: all
  window: 4096
  split: {{by: time, valid: 0.2, calibration: 0.4}}
model:
  layers:
    - kind: dequantize
    - kind: standardize
    - {{kind: whitening, boundary: symmetric, taps: 64, estimate: mean_log}}
    - kind: squeeze
    - kind: repeat
      times: 2
      layers:
        - {{kind: conv_coupling, taps: 8, conditioner: {{kind: conv, hidden: 8, layers: 1, kernel: 3}}}}
        - kind: actnorm
train: {{steps: 60, batch: 8, lr: 1e-3, warmup: 10, validate_every: 30, threads: 1}}
score: {{terms: [nll, latent, local, band], hop: 4096, batch: 64, smoothing: [1, 64, 1024]}}
"""

_CHILD = """
import json, sys, time
from seqflow_cli.main import run
code = run(sys.argv[1:])
with open("/proc/self/status") as file:  # not ru_maxrss, which remembers the process before exec
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
print(json.dumps({"peak": peak, "cpu": time.process_time()}))
sys.exit(code)
"""
"""The command, then its own peak in KiB and CPU seconds as a last line."""


class Row(NamedTuple):
    """What scoring one file took."""

    format: str
    seconds: float
    gigabytes: float
    peak: float
    wall: float
    cpu: float


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=48_000)
    parser.add_argument("--formats", nargs="+", default=["rf64", "flac"])
    parser.add_argument("--scratch", type=Path, help="folder with room for the recordings; default: TMPDIR")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        folder = Path(name)
        run = _train(folder, options.rate)
        for form in options.formats:
            for seconds in (SHORT, options.hours * 3600.0):
                file = folder / f"recording.{form}"
                make(file, options.rate, seconds)
                rows.append(_score(run, file, form, seconds))
                print(rows[-1], flush=True)
                file.unlink()
    text = _table(rows, options.rate)
    print(text)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "long.md").write_text(text)


def make(path: Path, rate: int, seconds: float, *, burst: bool = True, seed: int = 0) -> None:
    """Write the recording (T, 2), ten seconds at a time."""
    rng = np.random.default_rng(seed)
    at = int((seconds - BURST_BEFORE_END) * rate)
    form = {"rf64": "RF64", "w64": "W64", "wav": "WAV", "flac": "FLAC"}[path.suffix[1:]]
    total, size = round(seconds * rate), 10 * rate
    with soundfile.SoundFile(path, "w", rate, 2, subtype="PCM_16", format=form) as file:
        for start in range(0, total, size):
            n = min(size, total - start)
            x = rng.standard_normal((n + 2, 2), dtype=np.float32)
            x = x[2:] + 1.2 * x[1:-1] + 0.6 * x[:-2]  # moving average: a spectrum that falls
            x[:, 1] = 0.6 * x[:, 0] + 0.8 * x[:, 1]
            t = np.arange(start, start + n) / rate
            x += np.sin(2 * np.pi * 100.0 * t + 3.0 * np.sin(2 * np.pi * t / 60.0))[:, None]
            if burst and start <= at < start + n:
                fault = x[at - start : at - start + rate // 20]
                fault += 12.0 * rng.standard_normal(fault.shape, dtype=np.float32)
            file.write(0.02 * x)


def _train(folder: Path, rate: int) -> Path:
    (folder / "normal").mkdir()
    make(folder / "normal" / "a.wav", rate, 240.0, burst=False, seed=1)
    recipe = folder / "long.yaml"
    recipe.write_text(RECIPE.format(root=folder / "normal"))
    seqflow.train(seqflow.load_recipe(recipe), folder / "run")
    return folder / "run"


def _score(run: Path, file: Path, form: str, seconds: float) -> Row:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, "score", str(run), str(file), "--json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    wall = time.monotonic() - begun
    if done.returncode != 0:
        raise SystemExit(f"{form}: seqflow score ended with {done.returncode}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found: dict[str, Any] = rows[0]
    took: dict[str, float] = rows[-1]
    at = seconds - BURST_BEFORE_END
    if not found["worst_start"] - 1.0 <= at <= found["worst_end"] + 1.0:
        raise SystemExit(f"{form}: the burst at {at} s was looked for at {found['worst_start']} s")
    size = file.stat().st_size / 1e9
    return Row(form, seconds, size, took["peak"] / 1024, wall, took["cpu"])


def _table(rows: list[Row], rate: int) -> str:
    lines = [
        "# Scoring long recordings",
        "",
        f"`python benchmarks/long.py`, {machine()['cpu']}, one thread; two channels of 16 bits at {rate} Hz.",
        "",
        "| format | length | GB | highest resident set, MiB | wall s | CPU s | times real time |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        length = f"{row.seconds / 3600:g} h" if row.seconds >= 3600 else f"{row.seconds / 60:g} min"
        lines.append(
            f"| {row.format} | {length} | {row.gigabytes:.2f} | {row.peak:.0f} "
            f"| {row.wall:.0f} | {row.cpu:.0f} | {row.seconds / row.cpu:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
