"""A training small enough to be run many times: its recipe and data, and how its results are compared."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqflow.checkpoint import read_checkpoint
from seqflow.data.recording import ArrayRecording
from seqflow.errors import SeqflowError
from seqflow.model import Model
from seqflow.recipe import Recipe, parse
from seqflow.training.events import Event, OnEvent, Step
from seqflow.training.material import Material, common_step, held_back_windows, train_windows
from seqflow.training.session import run

TEXT = """
name: test/run
seed: 3
data:
  kind: series
  root: none
  window: 32
  hop: 8
  augment: {gain_db: [-3.0, 3.0], polarity: true, shift: 4}
model:
  layers:
    - {kind: dequantize}
    - {kind: standardize}
    - {kind: whitening, taps: 4}
    - {kind: squeeze}
    - kind: conv_coupling
      taps: 3
      gate: piecewise
      conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3, skip_kernel: 3, level_scales: [1, 5]}
    - {kind: channel_mix}
    - {kind: affine_coupling, conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3, level_scales: [1]}}
    - {kind: actnorm}
  base: {kind: student_t}
train:
  steps: 12
  batch: 8
  lr: 5e-3
  warmup: 4
  ema: 0.9
  weight_decay: 0.1
  validate_every: 4
  validate_windows: 24
  log_every: 2
  threads: 1
score: {hop: 16, terms: [nll, latent], smoothing: [1, 4]}
"""

TIMES = {"seconds", "samples_per_second"}


def make_recipe(*overrides: str) -> Recipe:
    return parse(TEXT, overrides=overrides)


def recordings(
    count: int, seed: int = 0, length: int = 300, step: float | None = 2.0**-8
) -> list[ArrayRecording]:
    """Noise through a resonance, on a lattice where there is a step."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        values = rng.normal(size=length)
        for t in range(2, length):
            values[t] += 1.6 * values[t - 1] - 0.9 * values[t - 2]
        values /= values.std()
        if step:
            values = np.floor(values / step) * step
        found.append(ArrayRecording(values, name=f"r{index}", rate=100.0, step=step))
    return found


def make_material(
    recipe: Recipe,
    *,
    train: Sequence[ArrayRecording] | None = None,
    fingerprint: str = "ab12",
    calibration: int = 6,
) -> Material:
    train = recordings(4) if train is None else train
    return Material(
        train=train_windows(recipe, train),
        valid=held_back_windows(recipe, recordings(2, seed=1)),
        calibration=recordings(calibration, seed=2),
        fingerprint=fingerprint,
        channel_names=("a",),
        rate=100.0,
        step=common_step(train),
    )


def train_small(
    out: Path,
    *overrides: str,
    on_event: OnEvent | None = None,
    material: Callable[[Recipe], Material] = make_material,
    **options: Any,
) -> Model:
    recipe = make_recipe(*overrides)
    return run(recipe, out, lambda: material(recipe), on_event=on_event, **{"device": "cpu", **options})


def start(out: Path, *overrides: str, resume: bool = False, room: int | None = None) -> BaseProcess:
    """Train in a process of its own, forked from one that has loaded everything.

    `room`: from step 5 on no file can grow beyond that of the log by so many bytes, as on a full disk.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["seqflow.training", "torch._dynamo"])
    process = context.Process(target=_child, args=(out, overrides, resume, room))
    process.start()
    return process


def _child(out: Path, overrides: Sequence[str], resume: bool, room: int | None) -> None:
    def limit(event: Event) -> None:
        if room is not None and isinstance(event, Step) and event.step == 5:
            _limit_files((out / "log.jsonl").stat().st_size + room)

    try:
        train_small(out, *overrides, resume=resume, on_event=limit)
    except SeqflowError as error:
        _limit_files(resource.RLIM_INFINITY)
        out.with_suffix(".error").write_text(str(error))
        sys.exit(error.exit_code)


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def assert_same_run(out: Path, other: Path) -> None:
    """Equal to the bit in weights, averages, moments and calibration; equal in the log but for times."""
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_tensors(read_checkpoint(out / name)[0], read_checkpoint(other / name)[0])
    assert read_log(out) == read_log(other)


def assert_same_tensors(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for key, tensor in ours.items():
        assert torch.equal(tensor, theirs[key]), key


def read_log(out: Path) -> list[dict[str, Any]]:
    lines = (out / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in TIMES} for line in lines]


class Told:
    """Keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def stop_at(step: int, number: signal.Signals = signal.SIGINT) -> Told:
    """Sends this process a signal when a step is done."""

    class Stopping(Told):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Step) and event.step == step:
                os.kill(os.getpid(), number)

    return Stopping()
