"""Cost of the convolution layers, as a multiple of the FFT pair that they cannot do without.

    python benchmarks/layers.py [--rounds 30] [--out benchmarks/results]

Every figure is the least CPU time of a call divided by that of torch.fft.rfft + irfft of the same
float32 tensor (B, 1, T) of a million samples, one thread, all alternatives taking turns. Also measured: the
slope of log time over log(T log T), the dense way (slogdet and solve of the T x T Jacobian), and torch-dct
where it is installed. Writes layers.json and layers.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timing import Seconds, interleaved, settle_heap
from torch import Tensor

from seqflow.bijections import Bijection, CausalConv, CircularConv, SymmetricConv
from seqflow.bijections.cepstral import Boundary, cepstral_conv, lag_count, within_budget
from seqflow.jobs.machine import machine
from seqflow.ops.dct import dct2, dct3

SAMPLES = 1 << 20
LENGTHS = (256, 1024, 4096, 16384, 65536)
TAPS = 16
ADAPTIVE_TAPS = 8
BUDGET = 0.25
DENSE_LENGTH = 1024
PAIR = "rfft + irfft"

Run = Callable[[], object]


def layers() -> dict[str, Bijection]:
    """The layers with one kernel for all windows, away from the identity."""
    torch.manual_seed(0)
    made: dict[str, Bijection] = {
        "circular": CircularConv(1, TAPS, BUDGET),
        "symmetric": SymmetricConv(1, TAPS, "half", BUDGET),
        "symmetric, whole-sample": SymmetricConv(1, TAPS, "whole", BUDGET),
        "causal": CausalConv(1, TAPS, BUDGET),
    }
    with torch.no_grad():
        for layer in made.values():
            for parameter in layer.parameters():
                parameter.normal_(std=0.05)
    return made


def adaptive(x: Tensor, boundary: Boundary) -> Tensor:
    """A cepstrum for each window, as a conditioner would give it."""
    taps = lag_count(boundary, ADAPTIVE_TAPS)
    raw = 0.05 * torch.randn(*x.shape[:2], taps, generator=torch.Generator().manual_seed(1))
    return raw.requires_grad_()


def forward_runs(x: Tensor) -> dict[str, Run]:
    """Forward with log-determinant, no gradients: trained layer by layer, and cached as in evaluation."""
    runs: dict[str, Run] = {PAIR: lambda: torch.fft.irfft(torch.fft.rfft(x), n=x.shape[-1])}
    for name, layer in layers().items():
        runs[name] = lambda layer=layer: layer(x)  # type: ignore[misc]
    for name, layer in layers().items():
        layer.eval()
        runs[f"{name}, cached"] = lambda layer=layer: layer(x)  # type: ignore[misc]
    for boundary in ("circular", "symmetric", "causal"):
        runs[f"{boundary}, adaptive"] = _adaptive_run(x, boundary)
    return {name: _no_grad(run) for name, run in runs.items()}


def training_runs(x: Tensor) -> dict[str, Run]:
    """Forward, log-determinant and backward, to the input and to the cepstra."""
    x = x.clone().requires_grad_()
    ahead = torch.randn_like(x)

    def step(run: Callable[[], tuple[Tensor, Tensor]], leaves: list[Tensor]) -> Run:
        def both() -> None:
            for leaf in leaves:
                leaf.grad = None
            y, log_det = run()
            torch.autograd.backward((y, log_det), (ahead, torch.ones_like(log_det)))

        return both

    runs: dict[str, Run] = {
        PAIR: _no_grad(lambda: torch.fft.irfft(torch.fft.rfft(x), n=x.shape[-1])),
        "circular, by torch's own gradients": step(_plain_circular(x), [x]),
    }
    for name, layer in layers().items():
        runs[name] = step(lambda layer=layer: layer(x), [x, *layer.parameters()])  # type: ignore[misc]
    for boundary in ("circular", "symmetric", "causal"):
        cepstrum = adaptive(x, boundary)
        run = _adaptive_run(x, boundary, cepstrum)
        runs[f"{boundary}, adaptive"] = step(run, [x, cepstrum])
    return runs


def _plain_circular(x: Tensor) -> Callable[[], tuple[Tensor, Tensor]]:
    """The circular layer as one would write it down."""
    (parameter,) = CircularConv(1, TAPS, BUDGET).parameters()
    length = x.shape[-1]

    def run() -> tuple[Tensor, Tensor]:
        taps = torch.zeros(1, length).index_add(-1, torch.arange(1 - TAPS, TAPS) % length, parameter)
        spectrum = torch.exp(torch.fft.rfft(taps))
        y = torch.fft.irfft(spectrum * torch.fft.rfft(x), n=length)
        return y, (length * parameter[:, TAPS - 1].sum()).expand(x.shape[0])

    return run


def _adaptive_run(
    x: Tensor, boundary: Boundary, cepstrum: Tensor | None = None
) -> Callable[[], tuple[Tensor, Tensor]]:
    raw = adaptive(x, boundary) if cepstrum is None else cepstrum
    return lambda: cepstral_conv(x, within_budget(raw, BUDGET, boundary), boundary, BUDGET)


def _no_grad(run: Run) -> Run:
    def quiet() -> None:
        with torch.no_grad():
            run()

    return quiet


def slopes(table: dict[int, dict[str, Seconds]]) -> dict[str, float]:
    """Least-squares slope of log(time of one window) over log(T log T); 1 is N log N."""
    lengths = sorted(table)
    x = [math.log(length * math.log(length)) for length in lengths]
    return {
        name: float(np.polyfit(x, [math.log(table[t][name].least * t / SAMPLES) for t in lengths], 1)[0])
        for name in table[lengths[0]]
    }


def against_dense(rounds: int) -> dict[str, float]:
    """Dense slogdet + solve over the layer's inverse with log-determinant, T = 1,024, by batch size."""
    layer = CircularConv(1, TAPS, BUDGET).eval().requires_grad_(False)
    layer.cepstrum.normal_(std=0.05)
    jacobian = layer(torch.eye(DENSE_LENGTH).unsqueeze(1))[0].squeeze(1).T.contiguous()
    ratios = {}
    for batch in (1, 16, 64):
        y = torch.randn(batch, 1, DENSE_LENGTH)
        columns = y.squeeze(1).T.contiguous()
        dense = torch.linalg.solve(jacobian, columns).T.unsqueeze(1)
        assert torch.allclose(dense, layer.inverse(y)[0], atol=1e-4)

        def solve(columns: Tensor = columns) -> object:
            return torch.linalg.slogdet(jacobian), torch.linalg.solve(jacobian, columns)

        taken = interleaved({"dense": solve, "layer": lambda y=y: layer.inverse(y)}, rounds)  # type: ignore[misc]
        ratios[f"batch {batch}"] = taken["dense"].least / taken["layer"].least
    return ratios


def against_torch_dct(rounds: int) -> dict[str, dict[int, float]] | None:
    """torch-dct's time over ours for dct + idct, and for the whole symmetric convolution; None without it."""
    try:
        peer: Any = importlib.import_module("torch_dct")
    except ImportError:
        return None
    ratios: dict[str, dict[int, float]] = {"DCT-II and back": {}, "symmetric convolution": {}}
    layer = layers()["symmetric"].eval().requires_grad_(False)
    for length in LENGTHS:
        x = torch.randn(SAMPLES // length, 1, length)
        impulse = dct2(layer(dct3(torch.ones(1, 1, length)))[0])
        runs: dict[str, Run] = {
            "theirs": lambda x=x: peer.idct(peer.dct(x, norm="ortho"), norm="ortho"),  # type: ignore[misc]
            "ours": lambda x=x: dct3(dct2(x)),  # type: ignore[misc]
            "their convolution": lambda x=x, h=impulse: peer.idct(  # type: ignore[misc]
                peer.dct(x, norm="ortho") * h, norm="ortho"
            ),
            "our layer": lambda x=x: layer(x),  # type: ignore[misc]
        }
        assert torch.allclose(runs["their convolution"](), layer(x)[0], atol=1e-4)  # type: ignore[arg-type]
        taken = interleaved(runs, rounds)
        ratios["DCT-II and back"][length] = taken["theirs"].least / taken["ours"].least
        ratios["symmetric convolution"][length] = taken["their convolution"].least / taken["our layer"].least
    return ratios


def multiples(table: dict[int, dict[str, Seconds]]) -> dict[str, dict[int, float]]:
    """Least times as multiples of the FFT pair."""
    names = [name for name in table[LENGTHS[0]] if name != PAIR]
    return {name: {t: table[t][name].least / table[t][PAIR].least for t in LENGTHS} for name in names}


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    on = result["machine"]
    lines = [
        "# Convolution layers",
        "",
        f"{on['cpu']}; torch {on['torch']}, {on['threads']} thread, float32, {SAMPLES:,} samples a call, "
        f"C = 1. {TAPS} taps ({ADAPTIVE_TAPS} where every window has a kernel of its own). Least of "
        f"{result['rounds']} interleaved calls, CPU time, as a multiple of torch.fft.rfft + irfft of the "
        "same tensor. Slope: of log time over log(T log T), 1 for N log N.",
        "",
    ]
    pair = " | ".join(f"{1e3 * result['pair_seconds'][str(t)]:.2f} ms" for t in LENGTHS)
    for title, key in (("forward + log-det", "forward"), ("forward + log-det + backward", "training")):
        lines += [
            f"| {title} | " + " | ".join(f"T = {t:,}" for t in LENGTHS) + " | slope |",
            "|---" * (len(LENGTHS) + 2) + "|",
        ]
        if key == "forward":
            lines.append(f"| {PAIR} | {pair} | {result['slopes']['forward'][PAIR]:.2f} |")
        for name, row in result[key].items():
            cells = " | ".join(f"{row[str(t)]:.2f}" for t in LENGTHS)
            lines.append(f"| {name} | {cells} | {result['slopes'][key][name]:.2f} |")
        lines.append("")
    dense = ", ".join(f"{ratio:.0f} times ({name})" for name, ratio in result["dense"].items())
    lines.append(
        f"Dense slogdet + solve at T = {DENSE_LENGTH:,} takes as long as the circular layer's inverse with "
        f"log-det {dense}; both are given their matrix or spectrum."
    )
    if result["torch_dct"]:
        lines += ["", "| torch-dct's time over ours | " + " | ".join(f"T = {t:,}" for t in LENGTHS) + " |"]
        lines.append("|---" * (len(LENGTHS) + 1) + "|")
        for name, row in result["torch_dct"].items():
            lines.append(f"| {name} | " + " | ".join(f"{row[str(t)]:.2f}" for t in LENGTHS) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settle_heap()
    forward, training = {}, {}
    for length in LENGTHS:
        x = torch.randn(SAMPLES // length, 1, length, generator=torch.Generator().manual_seed(2))
        forward[length] = interleaved(forward_runs(x), options.rounds)
        training[length] = interleaved(training_runs(x), max(3, options.rounds // 2))
    result = {
        "machine": machine(),
        "rounds": options.rounds,
        "samples": SAMPLES,
        "pair_seconds": {t: forward[t][PAIR].least for t in LENGTHS},
        "forward": multiples(forward),
        "training": multiples(training),
        "slopes": {"forward": slopes(forward), "training": slopes(training)},
        "dense": against_dense(options.rounds),
        "torch_dct": against_torch_dct(options.rounds),
    }
    text = json.dumps(result, indent=1)
    page = report(json.loads(text))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "layers.json").write_text(text + "\n", encoding="utf-8")
    (options.out / "layers.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
