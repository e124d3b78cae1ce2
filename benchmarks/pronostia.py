"""When does a bearing that runs to failure alarm, at 1 false alarm per 100 snapshots?

    python benchmarks/pronostia.py FOLDER [--first 0.2 0.3333] [--work DIR]

FOLDER holds NAME.npy (snapshots, samples, 2) of PRONOSTIA bearings (FEMTO-ST) with NAME.json (`scale`, g per
unit). Each snapshot becomes a recording. The recipe vibration/pronostia is trained anew for every bearing,
on its first fifth alone, then on its first third, seed 0 (5 CPU seconds), which is parted into training,
validation and calibration by chance; then every snapshot is scored, p-values and alarms as the run has
them, at the recipe's alarm rate of 0.01 a snapshot. An event is 3 alarms in a row, and ends where 3 snapshots
in a row have a p-value above 4 times the rate (`scoring.events`). The lasting event is the one that is open
when the bearing fails. Snapshots of the first third that the run has not seen show false alarms, unless the
bearing has changed by then: of that nobody knows. Writes pronostia.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import seqflow
from seqflow.jobs.machine import machine
from seqflow.jobs.score import score_paths
from seqflow.scoring.events import Event, Events

ONSET = QUIET = 3


class Snapshot(NamedTuple):
    """A snapshot among those of a bearing, as a step of `Events`."""

    start: int
    end: int
    score: float | None
    p_value: float | None
    peak: int | None


def write_snapshots(source: Path, folder: Path) -> int:
    """Every snapshot as a file of its own, in units of g; how many there are."""
    values = np.load(source, allow_pickle=False)
    scale = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))["scale"]
    folder.mkdir(parents=True)
    for index, snapshot in enumerate(values):
        np.save(folder / f"{index:04}.npy", (snapshot * scale).astype(np.float32))
    return len(values)


def measure(source: Path, work: Path, first: float) -> dict[str, object]:
    """The figures of a bearing."""
    folder = work / f"{source.stem}-{first:.4f}"
    count = write_snapshots(source, folder)
    seen, third = round(first * count), round(count / 3)
    exclude = [f"{index:04}.npy" for index in range(seen, count)]
    changes = [f"data.root={folder}", f"data.exclude={json.dumps(exclude)}", "train.threads=1"]
    begun = time.process_time()
    model = seqflow.train(
        seqflow.load_recipe("vibration/pronostia", changes), work / f"{folder.name}-run", device="cpu"
    )
    seconds = time.process_time() - begun
    assert model.calibration is not None
    scores = score_paths(model, [folder])
    events = Events(model.recipe.score.alarm_rate, ONSET, QUIET)
    found: list[Event] = []
    for index, one in enumerate(scores):
        step = Snapshot(index, index + 1, one.score, one.p_value, index)
        found += [noted.event for noted in events.add(step) if noted.kind == "event"]
    last = [noted.event for noted in events.finish()]
    alarms = np.array([bool(one.alarm) for one in scores])
    return {
        "name": source.stem,
        "snapshots": count,
        "seen": seen,
        "units": len(model.calibration),
        "least": model.calibration.attainable_rate,
        "third": third,
        "false_seen": int(alarms[:seen].sum()),
        "false_unseen": int(alarms[seen:third].sum()),
        "events": [event.start for event in found],
        "lasting": last[0].start if last else None,
        "seconds": seconds,
    }


def report(rows: list[dict[str, object]]) -> str:
    """The Markdown page."""
    about = machine()
    lines = [
        "# Bearings that run to failure",
        "",
        "PRONOSTIA, a snapshot of 0.1 s a minute, horizontal acceleration. Recipe vibration/pronostia, "
        "trained and calibrated on the first snapshots of each bearing alone, seed 0; alarms at 1 false one "
        f"per 100 snapshots; an event is {ONSET} alarms in a row. Snapshots are counted from 0. "
        f"{about['cpu']}, one thread.",
        "",
        "| bearing | snapshots | trained on | blocks | least rate | alarms among these | alarms in the "
        "unseen rest of the first third | events that end | lasting event from | before the end | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        count, lasting = row["snapshots"], row["lasting"]
        assert isinstance(count, int) and (lasting is None or isinstance(lasting, int))
        assert isinstance(row["third"], int) and isinstance(row["seen"], int)
        events = ", ".join(map(str, row["events"])) if isinstance(row["events"], list) else ""
        begins = "none" if lasting is None else f"{lasting} ({lasting / count:.0%} of life)"
        rest = row["third"] - row["seen"]
        unseen = f"{row['false_unseen']} of {rest}" if rest > 0 else "-"
        left = "-" if lasting is None else f"{count - lasting} snapshots"
        lines.append(
            f"| {row['name']} | {count} | {row['seen']} | {row['units']} | {row['least']:.2%} | "
            f"{row['false_seen']} of {row['seen']} | {unseen} | "
            f"{events or 'none'} | {begins} | {left} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--first", type=float, nargs="+", default=[0.2, 1 / 3], help="shares of the snapshots to learn from"
    )
    parser.add_argument(
        "--work", type=Path, help="an empty folder for runs and files; left out: a temporary one"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        sources = sorted(options.folder.glob("*.npy"))
        rows = [measure(source, work, first) for first in options.first for source in sources]
    page = report(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "pronostia.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
