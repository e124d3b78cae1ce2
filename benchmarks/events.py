"""False events per hour beside the promised number, on held-out normal recordings.

    python benchmarks/events.py RUN PATH... --per-hour R... [--exclude NAME] [--part 0.6 1.0] [--splits 200]

One pass of the flow over each recording; then splits into halves: the first calibrates, on blocks, the second
is judged block by block as `seqflow score --alarms-per-hour R` does, with the events that come of it. Several
recordings are split at random. A single one is cut into 40 stretches, and these are split at random, and into
halves in a row, beginning anywhere, the end joined to the beginning: what changes with time shows there.
--part takes a stretch of each recording, as fractions of its length: where the training took the beginning.

Each number of events is promised as a mean over calibrations, at most; one row more has the Pareto tail at a
rate of 0.1% of the blocks, which nothing promises. A number below the attainable one is named, not measured.
Intervals hold the middle 95% of splits. Writes events.json and events.md; a run of another name is added.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from calibration import opened

from seqflow.errors import UsageError
from seqflow.jobs.machine import machine
from seqflow.model import Model
from seqflow.recipe import ScoreConfig
from seqflow.runtime import repeatable
from seqflow.scoring import Calibration, Extract, calibrate_extracts, extract
from seqflow.scoring.calibration import measures
from seqflow.scoring.compare import Comparisons
from seqflow.scoring.events import Events
from seqflow.scoring.judge import Block, Judge, Spot, promised
from seqflow.scoring.rates import HOUR, event_hours

STRETCHES = 40
TAIL_RATE = 0.001


def stretches(one: Extract) -> list[Extract]:
    """A recording in parts of consecutive windows."""
    cuts = np.linspace(0, len(one.starts), STRETCHES + 1).astype(int)
    return [one.part(int(a), int(b)) for a, b in pairwise(cuts)]


def at_random(parts: Sequence[Extract], splits: int) -> Iterator[tuple[list[Extract], list[Extract]]]:
    """Halves to calibrate on and to judge."""
    rng = np.random.default_rng(0)
    half = len(parts) // 2
    for _ in range(splits):
        order = rng.permutation(len(parts))
        yield [parts[i] for i in order[:half]], [parts[i] for i in order[half:]]


def in_a_row(one: Extract) -> Iterator[tuple[list[Extract], list[Extract]]]:
    """The same, contiguous in time but for the joint of end and beginning."""
    n = len(one.starts)
    half = n // 2
    for start in np.linspace(0, n, STRETCHES, endpoint=False).astype(int):
        yield circle(one, int(start), half), circle(one, int(start) + half, n - half)


def circle(one: Extract, start: int, count: int) -> list[Extract]:
    """So many windows from `start` on, two parts where they go beyond the end."""
    n = len(one.starts)
    start %= n
    end = start + count
    found = [one.part(start, min(end, n))]
    return found if end <= n else [*found, one.part(0, end - n)]


def judged(
    parts: Sequence[Extract], calibration: Calibration, config: ScoreConfig, model: Model
) -> tuple[int, int, int, float]:
    """Events, alarms, blocks and hours of normal parts, in the eyes of `seqflow score`."""
    comparisons = Comparisons(config, calibration, model.rate)
    compared = comparisons.of({})
    terms = calibration.make_terms()
    events, blocks, hours = 0, [], 0.0
    for one in parts:
        own = Events(comparisons.rate, 1, 2)

        def take(block: Block, own: Events = own) -> None:
            blocks.append(block.p_value)
            own.add(block)

        judge = Judge(compared.calibration, compared.tail, take)
        spots = [Spot(int(start), 0.0, int(start)) for start in one.starts]
        judge.add(measures(terms, one.features, calibration.statistics), spots)
        judge.judgement()
        events += own.count
        hours += (one.starts[-1] - one.starts[0] + calibration.window) / (model.rate or 1.0) / HOUR
    alarms = sum(promised(p, comparisons.rate) for p in blocks)
    return events, alarms, len(blocks), hours


def measure(
    model: Model,
    pairs: Sequence[tuple[list[Extract], list[Extract]]],
    config: ScoreConfig,
    independent: bool,
) -> dict[str, Any]:
    """Figures over the splits, or why there are none."""
    rows = []
    for first, second in pairs:
        calibration = calibrate_extracts(first, config, window=model.window, unit="block")
        try:
            rows.append((*judged(second, calibration, config, model), len(calibration)))
        except UsageError as error:
            return {"refused": str(error)}
    events, alarms, blocks, hours, n = np.array(rows, dtype=np.float64).T
    rate = events / hours
    block = event_hours(calibration, model.rate)
    accepted = TAIL_RATE if config.alarms_per_hour is None else config.alarms_per_hour * block
    return {
        "splits": len(rows),
        "n": float(n.mean()),
        "block_s": block * HOUR,
        "hours": float(hours.mean()),
        "per_block": accepted,
        "block_alarms": float((alarms / blocks).mean()),
        # What the promise is of: the blocks that were judged, times the rate.
        "bound": float((accepted * blocks / hours).mean()),
        "mean": float(rate.mean()),
        "error": 1.96 * float(rate.std(ddof=1)) / math.sqrt(len(rate)) if independent else None,
        "interval": np.quantile(rate, [0.025, 0.975]).tolist(),
    }


def report(result: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# False events per hour",
        "",
        "Held-out normal recordings in halves: one calibrates, on blocks, the other is judged. Asked for: "
        "false events per hour, or with the Pareto tail 0.1% of the blocks. Expected: at most this many, by "
        "the number of blocks that were judged (one more for each recording than fit in it). Realised: mean "
        "over splits, ± 1.96 standard errors of random ones, and the middle 95% of splits.",
        "",
        "| run | halves | splits | blocks | block, s | judged, h | asked for | expected | events per hour | "
        "95% of splits | blocks that alarm |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    refused = []
    for name, found in result["runs"].items():
        for row in found["rows"]:
            head = f"{name} | {row['halves']}"
            if "refused" in row:
                refused.append(f"* {name}, {row['halves']}, {row['asked']}: {row['refused']}")
                continue
            low, high = row["interval"]
            error = "" if row["error"] is None else f" ± {row['error']:.2g}"
            lines.append(
                f"| {head} | {row['splits']} | {row['n']:.0f} | {row['block_s']:.3g} | {row['hours']:.3g} | "
                f"{row['asked']} | {row['bound']:.3g} | {row['mean']:.3g}{error} | {low:.3g} to {high:.3g} | "
                f"{row['block_alarms']:.2%} of {row['per_block']:.2%} |"
            )
    if refused:
        lines += ["", "Refused:", "", *refused]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--per-hour", nargs="+", type=float, required=True, metavar="R")
    parser.add_argument("--exclude", nargs="+", default=[], metavar="NAME", help="patterns of names")
    parser.add_argument("--part", nargs=2, type=float, default=[0.0, 1.0], metavar=("FROM", "TO"))
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--name", help="of the run in the table; left out: of its recipe")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run)
    base = model.recipe.score
    with repeatable(model.device):
        extracts = [
            extract(model.flow, recording, base, window=model.window)
            for recording in opened(model, options.paths, options.exclude, options.part)
        ]
    found = [one for one in extracts if one.scored]
    parts = found if len(found) > 1 else stretches(found[0])
    splits = {"at random": list(at_random(parts, options.splits))}
    if len(found) == 1:
        splits["in a row"] = list(in_a_row(found[0]))
    rows = []
    asked = [(f"{rate:g} an hour", {"alarms_per_hour": rate}) for rate in options.per_hour]
    asked.append((f"tail, {TAIL_RATE:.1%}", {"tail": "pareto", "alarm_rate": TAIL_RATE}))
    for halves, pairs in splits.items():
        for label, change in asked:
            config = base.model_copy(update=change)
            row = measure(model, pairs, config, independent=halves == "at random")
            rows.append({"halves": halves, "asked": label} | row)
    path = options.out / "events.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": {}}
    result["machine"] = machine()
    result["runs"][options.name or model.recipe.name] = {"rows": rows, "part": options.part}
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, sort_keys=True)
    page = report(json.loads(text))
    path.write_text(text + "\n", encoding="utf-8")
    (options.out / "events.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
