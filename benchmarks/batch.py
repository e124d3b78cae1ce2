"""Throughput of `seqflow batch` beside the bare model on windows that are in memory already.

    python benchmarks/batch.py [--run RUN] [--files 20000] [--rounds 10] [--dask-files 2000] [--bare 512]
        [--out benchmarks/results]

Makes so many FLAC files of one second of noise and tones at the model's rate, and scores them with 2
processes of one thread; without RUN a small model of audio/machine is trained first on made-up recordings.
The bare model is `log_prob` of the same windows, in 2 processes of one thread at the same time: with the
windows of one file in a pass, as scoring has them, and with `score.batch` windows in a pass, whichever
files they are of, and once more in processes that keep freed memory, as those of a batch do. Machines that
are shared get faster and slower within a minute: so the files are done in rounds, each with the bare model
before its batch, and what is compared is of the same round. Batches are
timed from a tenth of their files on, when all processes have the model; dask with 1 and 2 workers of a local
cluster, in one more round. CPU times depend less on what else the machine does. Writes batch.md only with
--out: a busy machine gives no figures worth keeping.
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
from seqflow.jobs.batch_work import keep_result, start_work
from seqflow.jobs.machine import machine
from seqflow.jobs.make import make_files
from seqflow.jobs.pool import Outcome
from seqflow.model import BEST
from seqflow.runtime import keep_freed_memory

Engine = Literal["processes", "dask"]
WORKERS = 2


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=10)
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
        rounds = [
            (_links(folder / f"round{k}", files[k :: options.rounds]), _batches(WORKERS))
            for k in range(options.rounds)
        ]
        if options.dask_files:
            own = _links(folder / "dask", files[: options.dask_files])
            rounds += [
                (own, {f"seqflow batch --engine dask, {_count(n)}": ("dask", n)}) for n in (1, WORKERS)
            ]
        found: list[dict[str, float]] = []
        with _Bare(run, few, False) as bare, _Bare(run, few, True) as kept:
            for inputs, batches in rounds:
                rates = {
                    "bare model, windows of one file a pass": bare.rate(False),
                    f"bare model, {model.recipe.score.batch} windows a pass": bare.rate(True),
                    "bare model, windows of one file a pass, freed memory kept": kept.rate(False),
                }
                for name, (engine, workers) in batches.items():
                    rates[name] = _batch(run, inputs, engine, workers)
                found.append(rates)
                print(*(f"{name}: {rate:.1f} files/s" for name, rate in rates.items()), sep="; ", flush=True)
        cpu = _cpu(run, few, folder)
    text = _table(model, options, found, cpu)
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


def _links(folder: Path, files: list[Path]) -> Path:
    """A folder of its own for these files."""
    folder.mkdir()
    for file in files:
        os.link(file, folder / file.name)
    return folder


def _count(workers: int) -> str:
    return f"{workers} worker{'s' * (workers != 1)}"


def _batches(workers: int) -> dict[str, tuple[Engine, int]]:
    return {f"seqflow batch, {_count(workers)}": ("processes", workers)}


class _Bare:
    """Processes with the model and the windows of these files in memory; `kept`: freed memory too."""

    def __init__(self, run: Path, files: list[Path], kept: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self._files = len(files)
        self._pool = context.Pool(WORKERS, _load, (run, files, kept, context.Barrier(WORKERS)))

    def __enter__(self) -> _Bare:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.terminate()

    def rate(self, joined: bool) -> float:
        """Files a second of all processes together, each having all the files."""
        return sum(self._files / one for one in self._pool.map(_passes, [joined] * WORKERS, chunksize=1))


def _load(run: Path, files: list[Path], kept: bool, gate: object) -> None:
    torch.set_num_threads(1)
    if kept:
        keep_freed_memory()
    model = seqflow.load(run)
    passes = [_windows(model, file) for file in files]
    globals()["_held"] = model, gate, passes, list(torch.cat(passes).split(model.recipe.score.batch))


def _passes(joined: bool) -> float:
    model, gate, *passes = globals()["_held"]
    for windows in passes[joined][:8]:
        model.log_prob(windows)
    gate.wait()
    begun = time.perf_counter()
    for windows in passes[joined]:
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
    start = start_work(str(path), str(folder / "in"), str(folder / "cpu"), "key", False, False)

    def work(name: str) -> None:
        keep_result(str(folder / "cpu"), Outcome(name, "done", start(name)))

    for file in files:
        windows = _windows(model, file)
        for spent, call in zip(
            times, (partial(model.log_prob, windows), partial(work, file.name)), strict=True
        ):
            begun = time.process_time()
            call()
            spent.append(time.process_time() - begun)
    return median(times[0][4:]), median(times[1][4:])


def _batch(run: Path, inputs: Path, engine: Engine, workers: int) -> float:
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
    model: seqflow.Model,
    options: argparse.Namespace,
    rounds: list[dict[str, float]],
    cpu: tuple[float, float],
) -> str:
    about = machine()
    dask = min(options.files, options.dask_files)
    lines = [
        "# Throughput of seqflow batch",
        "",
        f"Model {model.recipe.name}, window {model.window}, {options.files:,} FLAC files of one second at "
        f"{model.rate:g} Hz in {options.rounds} rounds{f', {dask:,} of them for dask' * bool(dask)}; "
        f"one thread a process. {about['cpu']}, {about['cores']} cores, torch "
        f"{about['torch']}. `benchmarks/batch.py` says what is measured.",
        "",
        f"Middle CPU time of a file, by turns in one process that keeps freed memory: bare model "
        f"{1e3 * cpu[0]:.1f} ms, the work of a batch {1e3 * cpu[1]:.1f} ms; the model is "
        f"{cpu[0] / cpu[1]:.0%} of it.",
        "",
        "Middle values of the rounds; shares are of the bare model in the same round.",
        "",
        "| | files/s | ms a file and process | 10^6 files | of the bare model | least and most |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(name for rates in rounds for name in rates):
        processes = 1 if "1 worker" in name else WORKERS
        own = [rates for rates in rounds if name in rates]
        rate = median(rates[name] for rates in own)
        shares = [rates[name] / (next(iter(rates.values())) * processes / WORKERS) for rates in own]
        lines.append(
            f"| {name} | {rate:.1f} | {1e3 * processes / rate:.1f} | {1e6 / rate / 3600:.1f} h | "
            f"{median(shares):.0%} | {min(shares):.0%}, {max(shares):.0%} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
