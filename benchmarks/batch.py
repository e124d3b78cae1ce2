"""Throughput of `seqflow batch` beside the bare model on windows that are in memory already.

    python benchmarks/batch.py [--run RUN] [--files 20000] [--dask-files 2000] [--bare 512]
        [--out benchmarks/results]

Makes so many FLAC files of one second of noise and tones at the model's rate, and scores them with 2
processes of one thread; without RUN a small model of audio/machine is trained first on made-up recordings.
The bare model is `log_prob` of the same windows, in 2 processes of one thread at the same time: with the
windows of one file in a pass, as scoring has them, and with `score.batch` windows in a pass, whichever
files they are of. Batches are timed from a tenth of their files on, when all processes have the model; dask
with 1 and 2 workers of a local cluster. CPU times depend little on what else the machine does. Writes
batch.md only with --out: a busy machine gives no figures worth keeping.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import soundfile
import torch

import seqflow
from seqflow.jobs.batch import FileDone, Waiting, run_batch
from seqflow.jobs.batch_work import start_work
from seqflow.jobs.machine import machine
from seqflow.jobs.make import make_files
from seqflow.model import BEST

WORKERS = 2


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--dask-files", type=int, default=2_000, help="files that dask gets of these")
    parser.add_argument("--bare", type=int, default=512, help="files whose windows the bare model gets")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = options.run or _train(folder / "run")
        model = seqflow.load(run)
        _make(folder / "in", options.files, int(model.rate or 8000))
        files = sorted((folder / "in").iterdir())
        few = files[: options.bare]
        (folder / "dask").mkdir()
        for file in files[: options.dask_files]:
            os.link(file, folder / "dask" / file.name)
        rates = {
            "bare model, windows of one file a pass": _bare(run, few, False),
            f"bare model, {model.recipe.score.batch} windows a pass": _bare(run, few, True),
            "seqflow batch, 2 workers": _batch(run, folder / "in", "processes", WORKERS),
            "the same, bare again": _bare(run, few, False),
            "seqflow batch --engine dask, 1 worker": _batch(run, folder / "dask", "dask", 1),
            "seqflow batch --engine dask, 2 workers": _batch(run, folder / "dask", "dask", WORKERS),
        }
        cpu = _cpu(run, few, folder)
    text = _table(model, options, rates, cpu)
    print(text)
    if options.out is not None:
        (options.out / "batch.md").write_text(text)


def _train(run: Path) -> Path:
    """A small model of made-up machine sounds."""
    sounds = run.parent / "sounds"
    make_files("machine", sounds, recordings=24, seconds=4.0, rate=16000.0)
    settings = [f"data.root={sounds}", "train.steps=20", "train.warmup=2", "train.validate_every=10"]
    recipe = seqflow.load_recipe("audio/machine", settings)
    seqflow.train(recipe, run)
    return run


def _make(folder: Path, count: int, rate: int) -> None:
    folder.mkdir()
    rng, t = np.random.default_rng(0), np.arange(rate) / rate
    for i in range(count):
        x = 0.2 * np.sin(2 * np.pi * rng.uniform(50, 500) * t) + 0.05 * rng.standard_normal(rate)
        soundfile.write(folder / f"{i:06}.flac", x, rate)


def _bare(run: Path, files: list[Path], joined: bool) -> float:
    """Files a second of all processes together, each having all the files."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(WORKERS)
    with context.Pool(WORKERS, _hold, (gate,)) as pool:
        seconds = pool.starmap(_passes, [(run, files, joined)] * WORKERS, chunksize=1)
    return sum(len(files) / one for one in seconds)


def _hold(gate: object) -> None:
    globals()["_gate"] = gate


def _passes(run: Path, files: list[Path], joined: bool) -> float:
    torch.set_num_threads(1)
    model = seqflow.load(run)
    passes = [_windows(model, file) for file in files]
    passes = list(torch.cat(passes).split(model.recipe.score.batch)) if joined else passes
    for windows in passes[:8]:
        model.log_prob(windows)
    globals()["_gate"].wait()
    begun = time.perf_counter()
    for windows in passes:
        model.log_prob(windows)
    return time.perf_counter() - begun


def _windows(model: seqflow.Model, file: Path) -> torch.Tensor:
    """The windows (B, 1, W) that scoring makes of a file."""
    hop = model.calibration.hop if model.calibration else model.window // 2
    x = torch.from_numpy(soundfile.read(file, dtype="float32")[0])
    starts = list(range(0, len(x) - model.window + 1, hop))
    if starts[-1] + model.window < len(x):
        starts.append(len(x) - model.window)
    return torch.stack([x[None, a : a + model.window] for a in starts])


def _cpu(run: Path, files: list[Path], folder: Path) -> tuple[float, float]:
    """Middle CPU seconds of a file: of the bare model, and of all that a process of a batch does with it."""
    torch.set_num_threads(1)
    model, times = seqflow.load(run), ([], [])
    path = run / BEST if run.is_dir() else run
    work = start_work(str(path), str(folder / "in"), str(folder / "cpu"), "key", False, False)
    for file in files:
        windows = _windows(model, file)
        for spent, call in zip(
            times, (partial(model.log_prob, windows), partial(work, file.name)), strict=True
        ):
            begun = time.process_time()
            call()
            spent.append(time.process_time() - begun)
    return median(times[0][4:]), median(times[1][4:])


def _batch(run: Path, inputs: Path, engine: Literal["processes", "dask"], workers: int) -> float:
    """Files a second from the file after the first tenth on: models are loaded by then."""
    out = inputs.parent / "out"
    times: list[float] = []

    def note(event: FileDone | Waiting) -> None:
        times.append(time.perf_counter())

    run_batch(run, inputs, out, workers=workers, engine=engine, device="cpu", on_event=note)
    shutil.rmtree(out)
    warm = len(times) // 10
    return (len(times) - 1 - warm) / (times[-1] - times[warm])


def _table(
    model: seqflow.Model, options: argparse.Namespace, rates: dict[str, float], cpu: tuple[float, float]
) -> str:
    bare, about = next(iter(rates.values())), machine()
    lines = [
        "# Throughput of seqflow batch",
        "",
        f"Model {model.recipe.name}, window {model.window}, {options.files:,} FLAC files of one second at "
        f"{model.rate:g} Hz, {min(options.files, options.dask_files):,} of them for dask; one thread a "
        f"process. {about['cpu']}, {about['cores']} cores, torch "
        f"{about['torch']}. `benchmarks/batch.py` says what is measured.",
        "",
        f"Middle CPU time of a file, by turns in one process: bare model {1e3 * cpu[0]:.1f} ms, the work of "
        f"a batch {1e3 * cpu[1]:.1f} ms; the model is {cpu[0] / cpu[1]:.0%} of it.",
        "",
        "| | files/s | ms a file and process | hours of signal an hour | 10^6 files | of the bare model |",
        "|---|---|---|---|---|---|",
    ]
    for name, rate in rates.items():
        processes = 1 if "1 worker" in name else WORKERS
        share = rate / (bare * processes / WORKERS)
        lines.append(
            f"| {name} | {rate:.1f} | {1e3 * processes / rate:.1f} | {rate:.1f} | "
            f"{1e6 / rate / 3600:.1f} h | {share:.0%} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
