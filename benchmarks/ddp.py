"""Training shared by several processes: samples a second and the loss, at the same batch.

    python benchmarks/ddp.py [--recipe audio/fsdd --set data.root=PATH] [--processes 1 2] [--steps 100]
        [--rounds 2] [--device cpu] [--out benchmarks/results]

Every figure is that of a training started by torchrun: real samples of all channels over the seconds between
the first tenth of the steps and the last step, as the log has them, so that starting, calibrating and the
first validation do not count. The numbers of processes take turns. On CPUs each process has one thread;
processes beyond the number of free cores share them, and then nothing is gained. On GPUs each has one.
`speed-up` is over one process; `difference` the largest one of the loss at a logged step, nats a sample.
Writes ddp.json and ddp.md with --out alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from seqflow.jobs.machine import machine


def train(options: argparse.Namespace, processes: int, out: Path) -> list[dict[str, Any]]:
    """The lines of the log of a training by so many processes."""
    every = max(1, options.steps // 10)
    fixed = {
        "train.steps": options.steps,
        "train.warmup": 1,
        "train.validate_every": options.steps,
        "train.validate_windows": 16,
        "train.log_every": every,
        "train.patience": "null",
    }
    if options.device == "cpu":
        fixed["train.threads"] = 1
    sets = [*options.set, *(f"{key}={value}" for key, value in fixed.items())]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "seqflow_cli", "train", options.recipe]
    command += [word for text in sets for word in ("--set", text)]
    command += ["--device", options.device, "--out", str(out), "--json"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"} if options.device == "cpu" else None
    subprocess.run(command, check=True, capture_output=True, env=env, timeout=3600)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == "step"]


def speed(steps: list[dict[str, Any]]) -> float:
    """Steps a second behind the first tenth."""
    first, last = steps[0], steps[-1]
    return float((last["step"] - first["step"]) / (last["seconds"] - first["seconds"]))


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    on = result["machine"]
    lines = [
        "# Training by several processes",
        "",
        f"{on['cpu']}, {result['device']}; torch {on['torch']}; {result['recipe']}, batches of "
        f"{result['batch']} windows of {result['window']:,} samples, {result['steps']} steps, median of "
        f"{result['rounds']} rounds that take turns.",
        "",
        "| processes | samples/s | speed-up | difference of the loss |",
        "|---|---|---|---|",
    ]
    for processes, row in result["processes"].items():
        lines.append(
            f"| {processes} | {row['samples_per_second']:,.0f} | {row['speed_up']:.2f} | "
            f"{row['difference']:.0e} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    from seqflow.recipe import load

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="toy/machine")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recipe = load(options.recipe, options.set)
    counts = sorted({1, *options.processes})
    speeds: dict[int, list[float]] = {count: [] for count in counts}
    losses: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.rounds):
            for count in counts:
                steps = train(options, count, Path(folder, f"{turn}-{count}"))
                speeds[count].append(speed(steps))
                losses[count] = [line["nats"] for line in steps]
        info = subprocess.run(
            [sys.executable, "-m", "seqflow_cli", "info", str(Path(folder, "0-1")), "--json"],
            check=True,
            capture_output=True,
            text=True,
        )
    described = json.loads(info.stdout)
    samples = recipe.train.batch * recipe.data.window * described["channels"]
    result = {
        "machine": machine(),
        "device": described["training"]["device"],
        "recipe": options.recipe,
        "batch": recipe.train.batch,
        "window": recipe.data.window,
        "steps": options.steps,
        "rounds": options.rounds,
        "processes": {
            count: {
                "samples_per_second": median(speeds[count]) * samples,
                "speed_up": median(speeds[count]) / median(speeds[1]),
                "difference": max(abs(a - b) for a, b in zip(losses[1], losses[count], strict=True)),
            }
            for count in counts
        },
    }
    page = report(result)
    print(page)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "ddp.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (options.out / "ddp.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
