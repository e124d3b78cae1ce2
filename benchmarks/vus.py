"""Seconds of VUS-ROC and VUS-PR, and of the reference implementation where it is there.

    python benchmarks/vus.py [--points 20000] [--window 100] [--events 20] [--rounds 5] [--reference FOLDER]

Random scores, events of 50 to 150 points at random places, one thread, CPU time. The reference is the package
TSB-AD, once; FOLDER is where `pip install --no-deps --target FOLDER TSB-AD` has put it (its file of metrics
needs numpy and scikit-learn only). Prints the ratio of the times and the largest difference of the values.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from timing import interleaved

from seqflow.jobs.machine import machine
from seqflow.metrics import vus


def main() -> None:
    """Measure and print."""
    options = arguments()
    rng = np.random.default_rng(0)
    labels = np.zeros(options.points, dtype=np.int64)
    for start in rng.integers(0, options.points, options.events):
        labels[start : start + rng.integers(50, 150)] = 1
    scores = rng.normal(size=options.points) + labels
    own = interleaved({"vus": lambda: vus(scores, labels, options.window)}, options.rounds)["vus"]
    tracemalloc.start()
    volume = vus(scores, labels, options.window)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()  # it slows all that follows
    share = f"{labels.mean():.1%} anomalous"
    print(f"{machine()['cpu']}; {options.points:,} points, window {options.window}, {share}")
    print(f"seqflow.metrics.vus  {own.middle:.4f} s (least {own.least:.4f}), peak memory {peak / 1e6:.1f} MB")
    if options.reference:
        curve = reference(options.reference)
        start_time = time.process_time()
        roc, pr = curve(labels, scores, options.window)[-2:]
        taken = time.process_time() - start_time
        off = max(abs(volume.roc - roc), abs(volume.pr - pr))
        ratio = f"{taken / own.middle:.0f} times as long"
        print(f"TSB-AD               {taken:.2f} s, {ratio}; values differ by {off:.1e}")


def reference(folder: Path) -> Callable[..., Any]:
    """The function of TSB-AD, loaded from its file: the package itself imports far more."""
    spec = importlib.util.spec_from_file_location(
        "tsb", folder / "TSB_AD" / "evaluation" / "basic_metrics.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    curve: Callable[..., Any] = module.generate_curve
    return curve


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reference", type=Path, metavar="FOLDER")
    return parser.parse_args()


if __name__ == "__main__":
    main()
