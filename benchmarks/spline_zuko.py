"""Bits per sample of an independent spline flow, zuko's NSF, on the windows of `seqflow benchmark density`.

    python benchmarks/spline_zuko.py audio/fsdd --set data.root=PATH [--steps 8000] [--block 64]

Neural Spline Flows (Durkan et al., 2019) are flows of vectors. A window is cut into blocks, each a vector and
independent of the others: nothing is known about a block but its own samples. About as many parameters as the
recipe's model, as many samples a step, Adam. One channel. Writes density-zuko.json into the folder of --out.
Needs zuko.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import zuko

from seqflow.build import build_flow
from seqflow.data.split import split_recordings
from seqflow.jobs.density_interval import groups, interval
from seqflow.jobs.density_windows import choose, dithered, stretches
from seqflow.jobs.machine import machine
from seqflow.recipe import load


def size(flow: torch.nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in flow.parameters())


def make(block: int, parameters: int) -> zuko.flows.Flow:
    """The flow whose width brings it nearest to so many parameters."""
    torch.manual_seed(0)
    flows = [
        zuko.flows.NSF(features=block, transforms=3, bins=8, hidden_features=(width, width))
        for width in range(16, 256, 4)
    ]
    return min(flows, key=lambda flow: abs(size(flow) - parameters))


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--windows", type=int, default=384)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    recipe = load(given.recipe, given.overrides)
    window, batch = recipe.data.window, recipe.train.batch
    if window % given.block:
        parser.error(f"blocks of {given.block} do not fill windows of {window}")
    torch.set_num_threads(recipe.train.threads or torch.get_num_threads())
    parts = split_recordings(recipe)
    held = choose(parts.test, window, given.windows)
    if held is None or held.log_step is None or parts.channels != 1:
        parser.error("needs test recordings of one channel with a quantisation step")
    # Fitted to what a model of the recipe learns from. Test windows carry the noise that references see.
    rng = np.random.default_rng(0)
    train = np.concatenate(stretches(parts.train, rng), axis=1)[0]
    seen = dithered(held.x, held.step[:, None, None], rng)[:, 0]
    mean, deviation = train.mean(), train.std()
    ours = build_flow(recipe, 1, parts.rate, recipe.data.step if recipe.data.step != "auto" else None)
    flow = make(given.block, size(ours))
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.steps)
    known = torch.from_numpy((train - mean) / deviation).float()
    lags = torch.arange(given.block)
    begin = time.process_time()
    for _ in range(given.steps):
        starts = torch.randint(len(known) - given.block + 1, (batch * window // given.block,))
        loss = -flow().log_prob(known[starts[:, None] + lags]).mean() / given.block
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    seconds = time.process_time() - begin
    blocks = torch.from_numpy((seen - mean) / deviation).float().reshape(-1, given.block)
    with torch.no_grad():
        nats = -torch.cat([flow().log_prob(part) for part in blocks.split(1024)]).double().numpy()
    share = nats.reshape(len(seen), -1).sum(1) / window + math.log(deviation)
    bits = (share - held.log_step) / math.log(2.0)
    row = {
        "model": f"zuko NSF, blocks of {given.block}",
        "bits": float(bits.mean()),
        "interval": interval(bits, groups(held.which, held.position, window)[0]),
        "parameters": size(flow),
        "steps": given.steps,
        "cpu_seconds": seconds,
        "windows": len(bits),
        "data": recipe.name,
        "zuko": zuko.__version__,
        "machine": machine(),
    }
    print(json.dumps(row))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "density-zuko.json").write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
