"""Speed of whole flows on one thread: ours beside Glow blocks of normflows and spline couplings of zuko.

    python benchmarks/flows.py [--rounds 15] [--out benchmarks/results]

All models are float32 with about as many parameters as eight convolutional couplings, but for that of the
recipe audio/fsdd, which is as it is. Every call handles 65,536 signal samples: 64 windows of 1,024 for the
models of sequences (Glow blocks see them as images of height 1), rows of 64 or 256 for those of vectors. The
models take turns, and a ratio is the median over the turns of CPU times. A training step is the gradients and
one of Adam. Sampling includes drawing the noise; ours is given in float64, as `Flow.sample` does it, and in
float32. Also measured: how much faster than real time 16 kHz audio is scored, by the density alone and as
`seqflow score` does it, calibrated, each sample in two windows. Needs normflows and zuko. Writes flows.json
and flows.md.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import normflows
import numpy as np
import torch
import zuko
from timing import settle_heap
from torch import Tensor, nn

from seqflow.bijections.base import Context
from seqflow.build import build_flow
from seqflow.data.recording import ArrayRecording
from seqflow.flow import Flow
from seqflow.jobs.machine import machine
from seqflow.recipe import Recipe, load, parse
from seqflow.scoring import calibrate, score_recording

SAMPLES = 1 << 16
WINDOW = 1024
RATE = 16000.0
COUPLINGS = """
name: benchmark/couplings
data: {kind: audio, root: none, window: 1024, channels: mono}
model:
  layers:
    - kind: standardize
    - kind: squeeze
    - kind: repeat
      times: 8
      layers:
        - kind: conv_coupling
          conditioner: {kind: conv, hidden: 40, layers: 3, kernel: 5, normalized: true, gated: false}
  base: {kind: normal}
"""
PLAIN, FSDD = "8 convolutional couplings", "audio/fsdd"
GLOW, NSF64, NSF256 = "normflows Glow x 8", "zuko NSF coupling, D = 64", "zuko NSF coupling, D = 256"


@dataclass
class Contender:
    """A model: its log-density of a batch, and ways to sample one, by name."""

    module: nn.Module
    x: Tensor
    log_prob: Callable[[Tensor], Tensor]
    samplers: dict[str, Callable[[], object]]

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=1e-5)

    @property
    def parameters(self) -> int:
        """Numbers that training changes."""
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)

    def score(self) -> None:
        """The log-density of the batch, evaluated."""
        self.module.eval()
        with torch.no_grad():
            self.log_prob(self.x)

    def train(self) -> None:
        """A training step."""
        self.module.train()
        self.optimizer.zero_grad()
        (-self.log_prob(self.x).sum() / SAMPLES).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def sampling(self) -> dict[str, Callable[[], object]]:
        """The samplers, evaluated."""

        def run(sample: Callable[[], object]) -> None:
            self.module.eval()
            with torch.no_grad():
                sample()

        return {name: lambda sample=sample: run(sample) for name, sample in self.samplers.items()}  # type: ignore[misc]


def perturb(module: nn.Module) -> None:
    """Move every parameter a little: networks that start at zero are no fair load."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.01 * torch.randn_like(parameter)


def ours(recipe: Recipe) -> Contender:
    """The flow of a recipe on quantised noise."""
    flow = build_flow(recipe, 1, RATE, 2.0**-15)
    count = SAMPLES // WINDOW
    x = _audio(SAMPLES).reshape(count, 1, WINDOW)
    context: Context = {
        "position": torch.zeros(count, dtype=torch.int64),
        "step": torch.full((count,), 2.0**-15),
    }
    flow.initialize(x, context)
    perturb(flow)
    _, steps = flow.latent_shape(WINDOW)
    return Contender(
        flow,
        x,
        lambda x: flow.log_prob(x, context),
        {
            "float64": lambda: flow.sample(count, WINDOW),
            "float32": lambda: flow.from_noise(flow.base.sample(count, steps)),
        },
    )


def glow(parameters: int) -> Contender:
    """Eight blocks on two channels, as images of height 1."""

    def make(hidden: int) -> Any:
        blocks = [normflows.flows.GlowBlock(2, hidden) for _ in range(8)]
        base = normflows.distributions.DiagGaussian((2, 1, WINDOW // 2), trainable=False)
        return normflows.NormalizingFlow(base, blocks)

    model = _sized(make, parameters)
    x = _windows(WINDOW).unflatten(-1, (-1, 2)).movedim(-1, 1).unsqueeze(2).contiguous()
    return Contender(model, x, model.log_prob, {"float32": lambda: model.sample(len(x))})


def splines(parameters: int, features: int) -> Contender:
    """Coupling by rational-quadratic splines, three transforms."""
    model = _sized(
        lambda hidden: zuko.flows.NSF(features, transforms=3, hidden_features=(hidden, hidden), passes=2),
        parameters,
    )
    x = _windows(features)
    return Contender(model, x, lambda x: model().log_prob(x), {"float32": lambda: model().sample((len(x),))})


def _sized(make: Callable[[int], Any], parameters: int) -> Any:
    """The model of the width that comes closest to a number of parameters, a little away from its start."""

    def count(width: int) -> int:
        return sum(p.numel() for p in make(width).parameters() if p.requires_grad)

    width = 1
    while count(2 * width) < parameters:
        width *= 2
    best = min(range(width, 2 * width + 1), key=lambda w: abs(count(w) - parameters))
    torch.manual_seed(0)
    model = make(best)
    if isinstance(model, normflows.NormalizingFlow):
        # Its scales are set by the first batch that it sees.
        model.log_prob(torch.randn(64, 2, 1, WINDOW // 2))
    perturb(model)
    return model


def _audio(length: int) -> Tensor:
    """Noise through a resonance, on the lattice of 16 bits."""
    white = np.random.default_rng(0).standard_normal(length + 2)
    shaped = white[2:] + 0.8 * white[1:-1] + 0.3 * white[:-2]
    return torch.from_numpy(np.floor(0.1 * shaped * 32768) / 32768).float()


def _windows(size: int) -> Tensor:
    return 5.0 * _audio(SAMPLES).reshape(-1, size)


def turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU time of every run once a round, after two rounds that are not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(rounds + 2):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if count >= 2:
                times[name].append(time.process_time() - start)
    return times


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as fast as theirs ours is: median over the turns."""
    return median(b / a for a, b in zip(ours, theirs, strict=True))


def real_time(recipe: Recipe, flow: Flow, rounds: int) -> dict[str, float]:
    """Seconds of 16 kHz audio scored in a second of CPU time."""
    length = 1 << 17
    seconds = length / RATE
    model = flow.eval()
    # Whatever rate the recipe is for: the work is that of as many samples.
    model.rate = RATE
    held = [
        ArrayRecording(
            _audio(1 << 13).numpy() * (1 + 0.01 * i), name=f"c{i}", rate=RATE, step=2.0**-15, kind="audio"
        )
        for i in range(20)
    ]
    config = recipe.score
    fitted = calibrate(model, held, config, window=WINDOW)
    recording = ArrayRecording(_audio(length).numpy(), name="x", rate=RATE, step=2.0**-15, kind="audio")
    x = _audio(length).reshape(-1, 1, WINDOW)
    context = {
        "step": torch.full((config.batch,), 2.0**-15),
        "position": torch.zeros(config.batch, dtype=torch.int64),
    }

    def bare() -> None:
        with torch.no_grad():
            for part in x.split(config.batch):
                model.log_prob(part, context)

    taken = turns(
        {
            "log_prob": bare,
            "seqflow score": lambda: score_recording(model, recording, config, fitted, window=WINDOW),
        },
        rounds,
    )
    return {name: seconds / median(times) for name, times in taken.items()}


def measure(rounds: int) -> dict[str, Any]:
    """Everything, as plain values."""
    torch.manual_seed(0)
    plain, fsdd = parse(COUPLINGS), load("audio/fsdd")
    first = ours(plain)
    models = {
        PLAIN: first,
        FSDD: ours(fsdd),
        GLOW: glow(first.parameters),
        NSF64: splines(first.parameters, 64),
        NSF256: splines(first.parameters, 256),
    }
    kinds: dict[str, dict[str, Callable[[], object]]] = {
        "log_prob": {name: model.score for name, model in models.items()},
        "train": {name: model.train for name, model in models.items()},
        "sample": {
            f"{name}, {dtype}": run
            for name, model in models.items()
            for dtype, run in model.sampling().items()
        },
    }
    # Training would move the weights: it goes last, and scoring is set beside sampling in the same turns.
    scoring = turns(
        {**{f"score {k}": run for k, run in kinds["log_prob"].items()}, **kinds["sample"]}, rounds
    )
    files = {
        name: real_time(recipe, copy.deepcopy(models[name].module), max(3, rounds // 3))  # type: ignore[arg-type]
        for name, recipe in ((PLAIN, plain), (FSDD, fsdd))
    }
    times = {
        "log_prob": {name: scoring[f"score {name}"] for name in models},
        "sample": {name: scoring[name] for name in kinds["sample"]},
        "train": turns(kinds["train"], rounds),
    }
    speed = {
        kind: {name: SAMPLES / median(taken) / 1e6 for name, taken in rows.items()}
        for kind, rows in times.items()
    }
    peers = (GLOW, NSF64, NSF256)
    ratios = {
        name: {
            "log_prob": {p: ratio(times["log_prob"][name], times["log_prob"][p]) for p in peers},
            "train": {p: ratio(times["train"][name], times["train"][p]) for p in peers},
            **{
                f"sample, {dtype}": {
                    p: ratio(times["sample"][f"{name}, {dtype}"], times["sample"][f"{p}, float32"])
                    for p in peers
                }
                for dtype in ("float32", "float64")
            },
        }
        for name in (PLAIN, FSDD)
    }
    own = {
        name: {
            dtype: ratio(times["sample"][f"{name}, {dtype}"], times["log_prob"][name])
            for dtype in ("float32", "float64")
        }
        for name in (PLAIN, FSDD)
    }
    return {
        "machine": {**machine(), "normflows": version("normflows"), "zuko": version("zuko")},
        "rounds": rounds,
        "parameters": {name: model.parameters for name, model in models.items()},
        "million_samples_per_second": speed,
        "times_as_fast": ratios,
        "sampling_against_scoring": own,
        "real_time": files,
    }


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    on, speed = result["machine"], result["million_samples_per_second"]
    lines = [
        "# Whole flows",
        "",
        f"{on['cpu']}; torch {on['torch']}, normflows {on['normflows']}, zuko {on['zuko']}, {on['threads']} "
        f"thread, float32, {SAMPLES:,} signal samples a call, {result['rounds']} interleaved turns, medians "
        "of CPU time.",
        "",
        "| million samples a second | parameters | log_prob | training step | sample |",
        "|---|---|---|---|---|",
    ]
    for name, count in result["parameters"].items():
        sample = speed["sample"][f"{name}, float32"]
        double = speed["sample"].get(f"{name}, float64")
        drawn = f"{sample:.3f}" + (f" (float64: {double:.3f})" if double else "")
        lines.append(
            f"| {name} | {count:,} | {speed['log_prob'][name]:.3f} | {speed['train'][name]:.3f} | {drawn} |"
        )
    for name, rows in result["times_as_fast"].items():
        peers = list(rows["log_prob"])
        lines += [
            "",
            f"| {name}: times as fast as | " + " | ".join(peers) + " |",
            "|---" * (len(peers) + 1) + "|",
        ]
        lines += [
            f"| {kind} | " + " | ".join(f"{row[p]:.2f}" for p in peers) + " |" for kind, row in rows.items()
        ]
    lines += [
        "",
        "| | sampling / scoring, float32, float64 | 16 kHz, times real time: log_prob | seqflow score |",
        "|---|---|---|---|",
    ]
    for name, row in result["sampling_against_scoring"].items():
        heard = result["real_time"][name]
        lines.append(
            f"| {name} | {row['float32']:.2f}, {row['float64']:.2f} | {heard['log_prob']:.0f} | "
            f"{heard['seqflow score']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settle_heap()
    text = json.dumps(measure(options.rounds), indent=1)
    page = report(json.loads(text))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "flows.json").write_text(text + "\n", encoding="utf-8")
    (options.out / "flows.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
