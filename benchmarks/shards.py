"""Loading of training windows from many short recordings: loose files against shards.

    python benchmarks/shards.py [--recordings 20000] [--formats wav flac] [--seconds 1.0] [--rate 8000]
        [--batches 400] [--rounds 3] [--folder FOLDER] [--out benchmarks/results]

Noise and tones of 16 bits are written as files, in folders of 1000, and packed by `seqflow data pack`. Then,
for the files and for the shards, each time in a process of its own that does nothing else: the start (files
found, opened, parted: all that a training does before its first step) and batches of 64 windows of 4000
samples by the loader of training, with no worker processes, and without the cache of decoded recordings: it
would hide what is compared as soon as all of them fit in memory. Rounds take turns; CPU seconds are given
beside those of the clock, since the machine may be shared: waiting for a core is no cost of the code. The
files lie in the page cache, as just written.

Opens of files below the folder are counted by strace in runs apart: of a start, and of a start and one
epoch.
Writes shards.json and shards.md with --out alone.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile

from seqflow.data.dataset import Windows
from seqflow.jobs.machine import machine
from seqflow.jobs.pack import pack
from seqflow.recipe import Recipe
from seqflow.training.material import load_material

WINDOW, BATCH = 4000, 64


def recipe(root: Path) -> Recipe:
    """All recordings to train on but for a few; two windows of each at the defaults."""
    return Recipe.model_validate(
        {
            "name": "shards",
            "data": {
                "kind": "audio",
                "root": str(root),
                "window": WINDOW,
                "cache": False,
                "split": {"valid": 0.001, "calibration": 0.0},
            },
            "model": {"layers": [{"kind": "standardize"}]},
        }
    )


def write(root: Path, suffix: str, options: argparse.Namespace) -> None:
    """The recordings as files."""
    rng = np.random.default_rng(0)
    moments = np.arange(round(options.seconds * options.rate)) / options.rate
    for i in range(options.recordings):
        folder = root / f"{i // 1000:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        tone = 0.3 * np.sin(2 * np.pi * rng.uniform(100, 1000) * moments)
        values = tone + 0.05 * rng.standard_normal(len(moments))
        soundfile.write(folder / f"{i:07d}.{suffix}", values, options.rate, subtype="PCM_16")


def load(root: Path, batches: int | None) -> dict[str, float]:
    """Seconds of the start, and figures of so many batches, none of them, or None: an epoch."""
    clock, cpu = time.perf_counter(), time.process_time()
    windows: Windows = load_material(recipe(root)).train
    started = time.perf_counter() - clock, time.process_time() - cpu
    count = len(windows) // BATCH if batches is None else batches
    clock, cpu = time.perf_counter(), time.process_time()
    for _ in windows.loader(0, count, BATCH):
        pass
    if not count:
        return {}
    taken = time.perf_counter() - clock, time.process_time() - cpu
    return {
        "start": started[0],
        "start_cpu": started[1],
        "windows_per_second": count * BATCH / taken[0],
        "windows_per_cpu_second": count * BATCH / taken[1],
        "windows": len(windows),
    }


def in_process(root: Path, batches: int | None, *before: str) -> dict[str, float]:
    """`load` in a process of its own, behind other words of a command."""
    command = [*before, sys.executable, __file__, "--load", str(root)]
    command += ["--batches", "-1" if batches is None else str(batches)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=3600)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def opens(root: Path, folder: Path) -> tuple[int, int]:
    """Opens of files below the root: in a start, and in a start and an epoch."""
    counts = []
    for batches in (0, None):
        log = folder / "trace"
        in_process(
            root, batches, "strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=open,openat", "-o", str(log)
        )
        pattern = re.compile(re.escape(f'"{root}/') + r'[^"]*\.(wav|flac|arrow|json)"')
        with log.open(encoding="utf-8", errors="replace") as lines:
            counts.append(sum(pattern.search(line) is not None for line in lines))
    return counts[0], counts[1]


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    roots: dict[str, Path] = {}
    packing: dict[str, Any] = {}
    for suffix in options.formats:
        roots[suffix] = folder / suffix
        write(roots[suffix], suffix, options)
        roots[f"shards of {suffix}"] = folder / f"shards-{suffix}"
        clock, cpu = time.perf_counter(), time.process_time()
        done = pack(recipe(roots[suffix]), roots[f"shards of {suffix}"])
        packing[f"shards of {suffix}"] = {
            "seconds": time.perf_counter() - clock,
            "cpu": time.process_time() - cpu,
            "shards": done.shards,
        }
        print(f"packed {suffix}", file=sys.stderr, flush=True)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in roots}
    for _ in range(options.rounds):
        for name, root in roots.items():
            found[name].append(in_process(root, options.batches))
            print(name, found[name][-1], file=sys.stderr, flush=True)
    rows = {}
    for name, root in roots.items():
        start, whole = opens(root, folder) if shutil.which("strace") else (None, None)
        rows[name] = {
            **{key: median(one[key] for one in found[name]) for key in found[name][0]},
            "opens_at_start": start,
            "opens": whole,
            "bytes": sum(path.stat().st_size for path in root.rglob("*") if path.is_file()),
            **({"packing": packing[name]} if name in packing else {}),
        }
    return {"machine": machine(), "options": {**vars(options), "out": None, "folder": None}, "rows": rows}


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    options = result["options"]
    lines = [
        "# Loading of training windows: loose files against shards",
        "",
        f"{options['recordings']:,} recordings of {options['seconds']:g} s at {options['rate']} Hz, 16 bits; "
        f"{options['batches']} batches of {BATCH} windows of {WINDOW} samples, the median of "
        f"{options['rounds']} rounds in turns, one process, no cache of decoded recordings, files in the "
        f"page cache. On {result['machine']['cpu']}, {result['machine']['cores']} cores.",
        "",
        "| from | windows/CPU s | windows/s | start, CPU s | start, s | opens, start | "
        "opens, start and epoch | MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in result["rows"].items():
        counts = ["-" if row[key] is None else f"{row[key]:,}" for key in ("opens_at_start", "opens")]
        lines.append(
            f"| {name} | {row['windows_per_cpu_second']:,.0f} | {row['windows_per_second']:,.0f} | "
            f"{row['start_cpu']:.2f} | {row['start']:.2f} | {' | '.join(counts)} | "
            f"{row['bytes'] / 1e6:,.0f} |"
        )
    lines.append("")
    for name, row in result["rows"].items():
        if "packing" in row:
            one = row["packing"]
            lines.append(
                f"Packing the {name}: {one['cpu']:.0f} CPU s ({one['seconds']:.0f} s), {one['shards']} files."
            )
    lines += ["", "Made by `python benchmarks/shards.py`, which says what is measured."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse, measure, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recordings", type=int, default=20_000)
    parser.add_argument("--formats", nargs="+", default=["wav", "flac"])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rate", type=int, default=8000)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load is not None:
        print(json.dumps(load(options.load, None if options.batches < 0 else options.batches)))
        return
    del options.load
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(options, Path(folder))
    page = report(result)
    print(page)
    if options.out is not None:
        text = json.dumps(result, indent=1) + "\n"
        (options.out / "shards.json").write_text(text, encoding="utf-8")
        (options.out / "shards.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
