"""The realised rate of false alarms beside the promised one, on held-out normal recordings.

    python benchmarks/calibration.py RUN PATH... [--exclude NAME] [--part 0.6 1.0] [--splits 200]

One pass of the flow over each recording; then random splits into halves. The first half calibrates, with all
that a calibration fits: statistics of the terms, their joining. The second half is judged. Units are
recordings; of a single one, or with --blocks, blocks of consecutive windows that share no sample, as many as
the library would make of it. Blocks are also split into two halves in a row, beginning anywhere, the end
joined to the beginning: normal parts that change with time show there, and not in random splits. --part takes
a stretch of each recording, as fractions of its length: where the training took the beginning.

A rate a among m units is promised as at most floor(a (n + 1))/(n + 1) on average over calibrations on n of
them. Intervals hold the middle 95% of splits. The run's own calibration, made at the end of its training, is
judged on all units, too. Writes calibration.json and calibration.md; a run of another name is added to them.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import betabinom

from seqflow.data.discover import expand
from seqflow.data.open import open_recordings
from seqflow.data.recording import Recording
from seqflow.jobs.machine import machine
from seqflow.model import Model
from seqflow.runtime import repeatable
from seqflow.scoring import Calibration, Extract, calibrate_extracts, extract, judge_extract
from seqflow.scoring.fuse import attainable_rate
from seqflow.scoring.judge import promised
from seqflow.scoring.units import part

RATES = (0.01, 0.05, 0.1)
Order = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """What is split: units that have been through the flow, in the order of time."""

    kind: str
    units: Sequence[Extract]
    recordings: Sequence[Extract]
    left_out: int

    def __len__(self) -> int:
        return len(self.units)


def opened(
    model: Model, paths: Sequence[str], exclude: Sequence[str], stretch: Sequence[float]
) -> list[Recording]:
    """The recordings of the paths, or a stretch of each."""
    found = []
    for path in expand(paths, model.recipe.data):
        if any(fnmatch(path.name, pattern) for pattern in exclude):
            continue
        names = model.channel_names or None
        for whole in open_recordings(path, model.recipe.data, name=path.name, rate=model.rate, names=names):
            first, last = (round(fraction * whole.length) for fraction in stretch)
            found.append(whole if (first, last) == (0, whole.length) else whole.part(first, last))
    return found


def make_pool(model: Model, recordings: Sequence[Recording], blocks: bool) -> Pool:
    """Through the flow once; then whole recordings, or the blocks that a half of them is calibrated on."""
    config, window = model.recipe.score, model.window
    with repeatable(model.device):
        extracts = [extract(model.flow, recording, config, window=window) for recording in recordings]
    found = [one for one in extracts if one.scored]
    missing = len(extracts) - len(found)
    if len(found) > 1 and not blocks:
        return Pool("recording", found, found, missing)
    assert model.calibration is not None
    # As large as where half of them is all there is; the other half is there to be judged.
    starts = [one.starts for one in found]
    hop = model.calibration.hop
    half = part([own[: len(own) // 2] for own in starts], window, hop, config.alarm_rate, "block").per_unit
    return Pool("block", in_blocks(found, half, window), found, missing)


def in_blocks(extracts: Sequence[Extract], size: int, window: int) -> list[Extract]:
    """Blocks of so many consecutive windows that share no sample."""
    units = []
    for one in extracts:
        begin = 0
        while begin + size <= len(one.starts):
            units.append(one.part(begin, begin + size))
            begin = int(np.searchsorted(one.starts, one.starts[begin + size - 1] + window))
    return units


def p_values(calibration: Calibration, units: Sequence[Extract]) -> NDArray[np.float64]:
    """Of each unit, judged as one."""
    return np.array([judge_extract(unit, calibration).p_value for unit in units])


def random_halves(size: int, splits: int) -> Iterator[Order]:
    """Orders of the units, the first half of which calibrates."""
    rng = np.random.default_rng(0)
    return (rng.permutation(size) for _ in range(splits))


def halves_in_a_row(size: int, splits: int) -> Iterator[Order]:
    """The same, the halves contiguous in time but for the joint of end and beginning."""
    return ((np.arange(size) + start) % size for start in range(0, size, max(1, size // splits)))


def realised(model: Model, pool: Pool, orders: Iterator[Order], independent: bool) -> dict[str, Any]:
    """Rates of alarms among normal units, over splits; whether these are independent of each other."""
    n = len(pool) // 2
    found: dict[float, list[float]] = {rate: [] for rate in RATES}
    for order in orders:
        units = [pool.units[index] for index in order]
        # Blocks are units already: each counts as one, as a recording does.
        calibration = calibrate_extracts(units[:n], model.recipe.score, window=model.window, unit="recording")
        p = p_values(calibration, units[n:])
        for rate, own in found.items():
            own.append(float(np.mean([promised(value, rate) for value in p])))
    m = len(pool) - n
    rows = []
    for rate, own in found.items():
        least = math.floor(rate * (n + 1) + 1e-9)
        ideal = betabinom(m, least, n + 1 - least).ppf([0.025, 0.975]) / m if least else np.zeros(2)
        rows.append(
            {
                "rate": rate,
                "bound": least / (n + 1),
                "mean": float(np.mean(own)),
                "error": 1.96 * float(np.std(own, ddof=1)) / math.sqrt(len(own)) if independent else None,
                "interval": np.quantile(own, [0.025, 0.975]).tolist(),
                "ideal_interval": ideal.tolist(),
            }
        )
    splits = len(found[RATES[0]])
    return {"splits": splits, "calibrated": n, "judged": m, "attainable": attainable_rate(n), "rates": rows}


def own_calibration(model: Model, pool: Pool) -> dict[str, Any] | None:
    """Alarms of the run as it is, among units of the size that it compares; None for another kind."""
    own = model.calibration
    if own is None or own.unit != pool.kind:
        return None
    units = in_blocks(pool.recordings, own.per_unit, own.window) if own.per_unit else pool.units
    p = p_values(own, units)
    rates = {str(rate): float(np.mean([promised(value, rate) for value in p])) for rate in RATES}
    return {"calibrated": len(own), "judged": len(p), "attainable": own.attainable_rate, "rates": rates}


def measure(model: Model, pool: Pool, splits: int) -> dict[str, Any]:
    """All figures of a run."""
    result: dict[str, Any] = {
        "unit": pool.kind,
        "units": len(pool),
        "windows_per_unit": float(np.mean([len(unit.starts) for unit in pool.units])),
        "recordings": len(pool.recordings),
        "left_out": pool.left_out,
        "terms": list(model.recipe.score.terms),
        "random": realised(model, pool, random_halves(len(pool), splits), independent=True),
        "own": own_calibration(model, pool),
    }
    if pool.kind == "block":
        result["in_a_row"] = realised(model, pool, halves_in_a_row(len(pool), splits), independent=False)
    return result


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# Realised rates of false alarms",
        "",
        "Held-out normal recordings, none of them seen in training, split into halves: one calibrates (all "
        "that a calibration fits), the other is judged. Mean over splits of the share of normal units that "
        "alarm, and the middle 95% of splits. Bound: what is promised of the mean, floor(a (n + 1))/(n + 1). "
        "Ideal: the middle 95% for scores that are fixed functions without ties. ±: 1.96 standard errors of "
        "the mean, of random splits. Blocks are judged one by one.",
        "",
        "| run | units | halves | splits | n | least | rate | bound | realised | 95% of splits | ideal |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in result["runs"].items():
        for key, label in (("random", "at random"), ("in_a_row", "in a row")):
            if key in found:
                lines += _rows(name, found, found[key], label)
    lines += ["", "The calibration that each run came with, made at the end of its training:", ""]
    for name, found in result["runs"].items():
        own = found["own"]
        if own is None:
            lines.append(f"* {name}: of other units, not comparable.")
            continue
        rates = ", ".join(f"{float(rate):.0%}: {value:.1%}" for rate, value in own["rates"].items())
        lines.append(
            f"* {name}, {own['calibrated']} {found['unit']}s, least {own['attainable']:.1%}, on "
            f"{own['judged']} {found['unit']}s: {rates}."
        )
    return "\n".join(lines) + "\n"


def _rows(name: str, found: dict[str, Any], split: dict[str, Any], label: str) -> Iterator[str]:
    head = f"{name} | {found['units']} {found['unit']}s | {label} | {split['splits']} | {split['calibrated']}"
    for row in split["rates"]:
        (low, high), (least, most) = row["interval"], row["ideal_interval"]
        error = "" if row["error"] is None else f" ± {row['error']:.2%}"
        yield (
            f"| {head} | {split['attainable']:.2%} | {row['rate']:.0%} | {row['bound']:.2%} | "
            f"{row['mean']:.2%}{error} | {low:.1%} to {high:.1%} | {least:.1%} to {most:.1%} |"
        )


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--exclude", nargs="+", default=[], metavar="NAME", help="patterns of names")
    parser.add_argument("--part", nargs=2, type=float, default=[0.0, 1.0], metavar=("FROM", "TO"))
    parser.add_argument("--blocks", action="store_true")
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--name", help="of the run in the table; left out: of its recipe")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    torch.set_num_threads(1)
    model = Model.load(options.run)
    recordings = opened(model, options.paths, options.exclude, options.part)
    pool = make_pool(model, recordings, options.blocks)
    path = options.out / "calibration.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": {}}
    result["machine"] = machine()
    found = measure(model, pool, options.splits)
    result["runs"][options.name or model.recipe.name] = found | {"part": options.part}
    text = json.dumps(result, indent=1, sort_keys=True)
    page = report(json.loads(text))
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    (options.out / "calibration.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
