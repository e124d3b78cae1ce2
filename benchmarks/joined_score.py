"""Ways to join the terms of a score: what each finds of corrupted recordings, by the same calibration.

    python benchmarks/joined_score.py RUN FOLDER [--limit 100] [--terms nll latent local typicality]

RUN is calibrated, FOLDER holds normal recordings that it has not seen. Recordings and their copies are those
of `seqflow benchmark corruptions`, seed 0; states do not count. Every rule takes the terms' surprises
x = -ln p + ln(1 + excess), see `seqflow.scoring.fuse`, and its own conformal p-value follows from the units
of the calibration. Means over the corruptions whose copies have a score. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from seqflow.corruptions import CORRUPTIONS, corrupt
from seqflow.data.recording import ArrayRecording, Recording
from seqflow.jobs.corruption_material import gather_normal
from seqflow.jobs.corruption_scores import random_for
from seqflow.metrics import roc_area
from seqflow.model import Model
from seqflow.runtime import repeatable
from seqflow.scoring import extract, fuse, judge_extract
from seqflow.scoring.fuse import joined

Array = NDArray[np.float64]
CLEAN = "clean"


def power(r: float) -> Callable[[Array], Array]:
    """Minus the logarithm of the mean of p of order -r: 1 is the harmonic one, 0 in the limit Fisher's."""
    return lambda x: joined(r * x) / r


RULES: dict[str, Callable[[Array], Array]] = {
    "sum (Fisher)": lambda x: np.asarray(x.sum(axis=-1)),
    "mean of order -1/2": power(0.5),
    "harmonic mean": joined,
    "largest": lambda x: np.asarray(x.max(axis=-1)),
    "sum of squares": lambda x: np.asarray((x**2).sum(axis=-1)),
}


def copies(recording: Recording) -> dict[str, Recording]:
    """The recording as it is, and its corrupted copies."""
    values = recording.read(0, recording.length).values

    def like(x: NDArray[np.floating]) -> Recording:
        return ArrayRecording(
            x, name=recording.name, kind=recording.kind, rate=recording.rate, step=recording.step
        )

    sound = recording.kind == "audio"
    made = {
        name: corrupt(
            values,
            name,
            random_for(0, name, recording),
            rate=recording.rate,
            step=recording.step,
            full_scale=sound,
        )
        for name in CORRUPTIONS
    }
    return {CLEAN: like(values)} | {name: like(x) for name, x in made.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--terms", nargs="+", default=["nll", "latent", "local", "typicality"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run)
    assert model.calibration is not None, "calibrate the run first"
    calibration = model.calibration.select(options.terms)
    config = model.recipe.score.model_copy(update={"terms": tuple(options.terms)})
    recordings = gather_normal(model, options.folder, options.limit).used
    scores: dict[str, dict[str, list[float]]] = {rule: {} for rule in RULES}
    p_values: dict[str, dict[str, list[float]]] = {rule: {} for rule in RULES}
    with repeatable(model.device):
        for recording in recordings:
            for name, one in copies(recording).items():
                found = extract(
                    model.flow, one, config, window=model.window, background=calibration.background
                )
                if not found.scored:
                    continue
                for rule, join in RULES.items():
                    with patch.object(fuse, "joined", join):
                        judged = judge_extract(found, calibration)
                    scores[rule].setdefault(name, []).append(judged.score)
                    p_values[rule].setdefault(name, []).append(judged.p_value)
    print(
        f"{model.recipe.name}: {len(recordings)} recordings, {len(calibration)} calibration "
        f"{calibration.unit}s; {', '.join(options.terms)}\n"
    )
    print("| rule | AUROC | least but for time reversal | found at 1% | at 5% | false alarms at 5% |")
    print("|---|---:|---|---:|---:|---:|")
    for rule in RULES:
        clean = scores[rule][CLEAN]
        areas, rows = {}, []
        for name in CORRUPTIONS:
            if name not in scores[rule]:
                continue
            changed, p = scores[rule][name], np.array(p_values[rule][name])
            labels = np.repeat([0, 1], [len(clean), len(changed)])
            areas[name] = roc_area(np.array([*clean, *changed]), labels)
            rows.append([(p <= rate * (1.0 + 1e-9)).mean() for rate in (0.01, 0.05)])
        least = min((name for name in areas if name != "time_reversal"), key=areas.__getitem__)
        rare, usual = np.mean(rows, axis=0)
        alarms = np.mean(np.array(p_values[rule][CLEAN]) <= 0.05 * (1.0 + 1e-9))
        print(
            f"| {rule} | {np.mean(list(areas.values())):.3f} | {least} {areas[least]:.3f} | {rare:.3f} | "
            f"{usual:.3f} | {alarms:.3f} |"
        )


if __name__ == "__main__":
    main()
