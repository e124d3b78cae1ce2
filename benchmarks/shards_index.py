"""Start of a training with very many recordings in shards: seconds and memory.

    python benchmarks/shards_index.py [--recordings 1000000] [--folder FOLDER] [--out benchmarks/results]

Recordings of 64 samples, of 1000 speakers by their names, are written into shards as packing does, without
files to decode; then a training's data are opened in a process of its own: found, parted into training,
validation and calibration, with a condition. `memory` is what the process grows by, resident, `peak` at its
highest. Writes shards_index.md with --out alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from seqflow.data.recording import ArrayRecording
from seqflow.data.shard_format import Header, reading_of
from seqflow.data.shard_writer import ShardWriter
from seqflow.jobs.machine import machine
from seqflow.recipe import Recipe
from seqflow.recipe.data import AudioData
from seqflow.training.material import load_material

COUPLING = {"kind": "affine_coupling", "conditioner": {"kind": "conv", "hidden": 4, "layers": 1, "kernel": 3}}


def recipe(root: Path) -> Recipe:
    """Windows of half a recording, with the speaker as the condition."""
    conditions = {"speaker": {"path": "^s([0-9]+)/"}}
    return Recipe.model_validate(
        {
            "name": "index",
            "data": {"kind": "audio", "root": str(root), "window": 32, "conditions": conditions},
            "model": {"condition": ["speaker"], "layers": [{"kind": "squeeze"}, COUPLING]},
        }
    )


def write(root: Path, count: int) -> None:
    """The shards."""
    data = recipe(root).data
    assert isinstance(data, AudioData)
    values = np.random.default_rng(0).integers(-3000, 3000, 64).astype(np.float32) / 32768
    with ShardWriter(root, 256 << 20) as writer:
        for i in range(count):
            name = f"s{i * 1000 // count:04d}/recording-{i:07d}.wav"
            about = {"digest": hashlib.sha256(name.encode()).digest(), "size": 172}
            writer.add(name, [ArrayRecording(values, kind="audio", rate=8000.0, step=2.0**-15)], about)
        writer.finish(Header(reading_of(data), data.files, data.exclude, (), (0, ""), ()))


def resident() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def load(root: Path) -> dict[str, float]:
    """Figures of the start."""
    before, clock, cpu = resident(), time.perf_counter(), time.process_time()
    material = load_material(recipe(root))
    return {
        "seconds": time.perf_counter() - clock,
        "cpu": time.process_time() - cpu,
        "memory": resident() - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - before,
        "windows": len(material.train),
    }


def main() -> None:
    """Parse, measure, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recordings", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load is not None:
        print(json.dumps(load(options.load)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        clock = time.process_time()
        write(Path(folder), options.recordings)
        written = time.process_time() - clock
        size = Path(folder, "index.arrow").stat().st_size
        command = [sys.executable, __file__, "--load", folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=3600)
    found = json.loads(done.stdout)
    page = (
        "# Start of a training with very many recordings in shards\n\n"
        "| recordings | index, MB | writing, CPU s | start, CPU s | start, s | memory, MB | peak, MB |\n"
        "|---:|---:|---:|---:|---:|---:|---:|\n"
        f"| {options.recordings:,} | {size / 1e6:.0f} | {written:.0f} | {found['cpu']:.1f} | "
        f"{found['seconds']:.1f} | {found['memory']:,.0f} | {found['peak']:,.0f} |\n\n"
        f"On {machine()['cpu']}, which others shared. Made by `python benchmarks/shards_index.py`, which "
        "says what is measured.\n"
    )
    print(page)
    if options.out is not None:
        (options.out / "shards_index.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
