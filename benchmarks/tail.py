"""True rates of false alarms under `--tail pareto`, for scores whose tail is known.

    python benchmarks/tail.py [--rounds 100] [--out benchmarks/results]

Draws n calibration scores, fits the tail, looks for the score whose p-value is the rate asked for, and takes
the probability that a score lies beyond it, as a multiple of that rate: mean over the rounds and its standard
error. Writes tail.md with --out alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import expon, norm
from scipy.stats import t as student

from seqflow.scoring.tail import ParetoTail

SCORES = {"exponential": expon(), "Gaussian": norm(), "Student t, 4 degrees of freedom": student(4)}
CASES = [(500, 1e-3), (500, 5e-3), (108, 1e-3), (108, 5e-3)]


def critical(tail: ParetoTail, rate: float) -> float:
    """The score whose p-value is the rate, by bisection."""
    low, high = -10.0, 1000.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if tail.p(middle) > rate else (low, middle)
    return high


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [
        "# Rates beyond the calibration, by a Pareto tail",
        "",
        f"`python benchmarks/tail.py`: mean true rate over {options.rounds} calibrations, and its standard "
        "error, as a multiple of the rate asked for.",
        "",
        "| scores | " + " | ".join(f"n = {n}, {rate:.1%}" for n, rate in CASES) + " |",
        "|---" * (1 + len(CASES)) + "|",
    ]
    for name, law in SCORES.items():
        cells = []
        for n, rate in CASES:
            rng = np.random.default_rng(0)
            rates = [
                law.sf(critical(ParetoTail(law.rvs(size=n, random_state=rng)), rate)) / rate
                for _ in range(options.rounds)
            ]
            cells.append(f"{np.mean(rates):.2f} ± {np.std(rates) / np.sqrt(len(rates)):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out is not None:
        (options.out / "tail.md").write_text(text)


if __name__ == "__main__":
    main()
