"""Peak memory and time of a training step, with kept and with recomputed activations, by depth.

    python benchmarks/memory.py [--rounds 3] [--depths 4 16 32] [--out benchmarks/results]

A step of depth 1 is a convolutional coupling (32 hidden channels, 3 blocks) and a scale per channel, behind a
squeeze by two; forward, log-likelihood and backward on windows (16, 1, 16384), float32, one thread. Every
figure of memory comes from a process of its own: the highest resident size during its steps, less that before
the first. Large blocks go back to the system at once there, so that what is freed does not count. Times are
CPU time, both kinds of step taking turns in one process; so is the difference of the gradients, relative to
their norm, and that of recomputed from kept inputs. Writes memory.json and memory.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from seqflow.bijections import ActNorm, Bijection, Chain, ConvCoupling, Squeeze
from seqflow.jobs.machine import machine
from seqflow.networks.conv_net import ConvConditioner

BATCH, LENGTH = 16, 16384
TOLERANCE = 3e-5
KINDS = ("store", "recompute")


def make_chain(depth: int, kind: str) -> Chain:
    """The flow, a little way from its start."""
    torch.manual_seed(0)
    layers: list[Bijection] = [Squeeze(2)]
    for index in range(depth):
        swap = index % 2 == 1
        counts = ConvCoupling.parameter_counts(2, swap=swap)
        network = ConvConditioner(1, *counts, hidden=32, layers=3, normalized=True, gated=False)
        layers += [ConvCoupling(2, network, swap=swap), ActNorm(2)]
    chain = Chain(layers, recompute=TOLERANCE if kind == "recompute" else None)
    with torch.no_grad():
        for parameter in chain.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    return chain


def windows() -> Tensor:
    """Noise (B, 1, T)."""
    return torch.randn(BATCH, 1, LENGTH, generator=torch.Generator().manual_seed(1))


def step(chain: Chain, x: Tensor) -> None:
    """Gradients of the negative log-likelihood under a normal base."""
    for parameter in chain.parameters():
        parameter.grad = None
    z, log_det = chain(x)
    loss = (0.5 * z.square().sum() - log_det.sum()) / x.numel()
    loss.backward()  # type: ignore[no-untyped-call]


def resident(field: str) -> int:
    """A field of /proc/self/status in bytes: VmRSS now, VmHWM its peak."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def peak(depth: int, kind: str) -> int:
    """Bytes by which two steps raise the resident size: to be called in a fresh process."""
    torch.set_num_threads(1)
    # Code that is loaded on first use is no activation.
    step(make_chain(1, kind), windows()[:1, :, :256])
    chain, x = make_chain(depth, kind), windows()
    before = resident("VmRSS")
    for _ in range(2):
        step(chain, x)
    return resident("VmHWM") - before


def peak_elsewhere(depth: int, kind: str) -> int:
    """`peak` in a process of its own."""
    frugal = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, __file__, "--peak", str(depth), kind]
    done = subprocess.run(command, env=frugal, check=True, capture_output=True, text=True)
    return int(done.stdout)


def pace(depth: int, rounds: int) -> dict[str, float]:
    """Time of recomputing over that of keeping, seconds of the latter, and the difference of gradients."""
    chains = {kind: make_chain(depth, kind) for kind in KINDS}
    x = windows()
    ratios, kept = [], []
    for turn in range(rounds + 1):
        taken = {}
        for kind, chain in chains.items():
            taken[kind] = _time(lambda chain=chain: step(chain, x))  # type: ignore[misc]
        if turn:
            ratios.append(taken["recompute"] / taken["store"])
            kept.append(taken["store"])
    a, b = (
        torch.cat([p.grad.flatten() for p in chain.parameters() if p.grad is not None])
        for chain in chains.values()
    )
    return {
        "time_ratio": median(ratios),
        "store_seconds": median(kept),
        "gradient_difference": float((a - b).norm() / a.norm()),
        "drift": drift(chains["store"], x),
    }


@torch.no_grad()
def drift(chain: Chain, x: Tensor) -> float:
    """Largest error of the inverse through the whole depth, relative to the deviation of x.

    No gradient is taken so far back: recomputation begins anew at marks on the way.
    """
    back, _ = chain.inverse(chain(x)[0])
    return float((back - x).abs().max() / x.std())


def _time(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    on = result["machine"]
    lines = [
        "# Memory of a training step",
        "",
        f"{on['cpu']}; torch {on['torch']}, {on['threads']} thread, float32, windows ({BATCH}, 1, "
        f"{LENGTH:,}). A step of depth: convolutional coupling (32 hidden channels, 3 blocks) and scale per "
        "channel. Peak "
        f"resident size of a process of its own, less that before; median CPU time of {result['rounds']} "
        "turns. Gradients: norm of the difference over the norm. Drift: largest error of the whole inverse "
        "over the deviation of the signal, were there no marks on the way.",
        "",
        "| depth | kept | recomputed | ratio | time | gradients | drift |",
        "|---|---|---|---|---|---|---|",
    ]
    for depth, row in result["depths"].items():
        kept, again = row["bytes"]["store"], row["bytes"]["recompute"]
        lines.append(
            f"| {depth} | {kept / 1e6:,.0f} MB | {again / 1e6:,.0f} MB | {again / kept:.3f} | "
            f"{row['time_ratio']:.2f} x | {row['gradient_difference']:.0e} | {row['drift']:.0e} |"
        )
    first, *_, last = result["depths"]
    growth = {
        kind: result["depths"][last]["bytes"][kind] / result["depths"][first]["bytes"][kind] for kind in KINDS
    }
    lines += [
        "",
        f"From depth {first} to {last} memory grows {growth['store']:.2f} times with kept and "
        f"{growth['recompute']:.2f} times with recomputed activations.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--depths", type=int, nargs="+", default=[4, 16, 32])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--peak", nargs=2, metavar=("DEPTH", "KIND"), help="print one peak in bytes and stop")
    options = parser.parse_args()
    if options.peak:
        print(peak(int(options.peak[0]), options.peak[1]))
        return
    torch.set_num_threads(1)
    depths = {}
    for depth in options.depths:
        size = {kind: peak_elsewhere(depth, kind) for kind in KINDS}
        depths[depth] = {"bytes": size, **pace(depth, options.rounds)}
    result = {"machine": machine(), "rounds": options.rounds, "depths": depths}
    text = json.dumps(result, indent=1)
    page = report(json.loads(text))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "memory.json").write_text(text + "\n", encoding="utf-8")
    (options.out / "memory.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
