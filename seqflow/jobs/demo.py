"""The demonstration: train on a real pulse wave, find a fault in it and a real disturbance, draw new ones."""

from __future__ import annotations

import csv
import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from ..data.faults import inject
from ..errors import UsageError
from ..files import make_folder, write_text
from ..recipe import load
from ..scoring import FileScore
from ..training import train
from ..training.events import Event
from .sample import Samples, write_samples
from .score import score_paths

RECIPE = "sensor/ppg"
FAULT, STRENGTH = "tone", 0.2
# The recipe uses the first 80%, to sample 54,780. What follows is new to the model: 15 s each.
_STRETCHES = {"quiet": (55_500, 57_000), "moved": (59_500, 61_000)}
_FAULT_SEED = 5


@dataclass(frozen=True)
class Stage:
    """The demonstration comes to its next part."""

    title: str


@dataclass(frozen=True)
class Demo:
    """What the demonstration made, and where it lies.

    Attributes:
        run: folder of the trained model.
        recordings: folder of the three scored recordings.
        scores: of the recordings quiet, quiet with the fault, and moved.
        tables: folder of the tables and figures of the scores.
        samples: drawn sequences.
        fault: where the fault was put in, seconds.
        seconds: time all of it took.
    """

    run: Path
    recordings: Path
    scores: dict[str, FileScore]
    tables: Path
    samples: Samples
    fault: tuple[float, float]
    seconds: float


def run_demo(
    out: Path,
    *,
    overrides: Sequence[str] = (),
    device: str = "auto",
    on_event: Callable[[Event | Stage], None] | None = None,
) -> Demo:
    """Train, score and sample into the folder `out`; a finished training there is used again.

    `overrides` change the recipe, `key.key=value`: fewer steps, say.
    The data is the recording `data3.csv` of the package heartpy, which is read and never imported. Raises
    UsageError where that package is not installed, and what training, scoring and sampling raise.
    """
    begin = time.monotonic()
    tell = on_event or (lambda event: None)
    source = pulse_wave()
    tell(Stage("Train on a real pulse wave: finger, one person, 11 minutes"))
    recipe = load(RECIPE, [f"data.root={source.parent}", *overrides])
    run = out / "run"
    model = train(recipe, run, resume=run.exists(), device=device, on_event=on_event)
    tell(Stage("Score three stretches that it has never seen"))
    recordings = make_folder(out / "recordings")
    fault = _write_stretches(source, recordings, model.rate or 1.0)
    tables = out / "scores"
    scores = score_paths(model, [recordings], out=tables, samples=True, figures=len(_STRETCHES) + 1)
    tell(Stage("Draw new pulse waves from the model"))
    samples = write_samples(model, out / "samples")
    return Demo(
        run=run,
        recordings=recordings,
        scores={score.name.removesuffix(".csv"): score for score in scores},
        tables=tables,
        samples=samples,
        fault=fault,
        seconds=time.monotonic() - begin,
    )


def pulse_wave() -> Path:
    """The recording. Raises UsageError where its package is not installed."""
    found = importlib.util.find_spec("heartpy")
    folder = Path(found.origin).parent if found is not None and found.origin else None
    path = None if folder is None else folder / "data" / "data3.csv"
    if path is None or not path.is_file():
        raise UsageError(
            "demo: its recording comes with the package heartpy; pip install 'seqflow-audio[demo]'"
        )
    return path


def _write_stretches(source: Path, folder: Path, rate: float) -> tuple[float, float]:
    """Write the stretches and a copy of the quiet one with a fault; returns where that is, seconds."""
    with source.open(newline="") as file:
        values = np.array([float(row["hr"]) for row in csv.DictReader(file)])
    for name, (start, stop) in _STRETCHES.items():
        _write(folder / f"{name}.csv", values[start:stop])
    start, stop = _STRETCHES["quiet"]
    faulty, (first, end) = inject(
        values[None, start:stop], FAULT, default_rng(_FAULT_SEED), strength=STRENGTH, step=1.0
    )
    _write(folder / "quiet-with-fault.csv", faulty[0])
    return first / rate, end / rate


def _write(path: Path, values: NDArray[np.floating]) -> None:
    write_text(path, "hr\n" + "".join(f"{value:g}\n" for value in values))
