"""AUROC of bearing faults against held-back normal vibration, in stretches of 2,048 samples.

    seqflow train vibration/cwru --set data.root=FOLDER --set data.split.train_end=0.8 --out RUN
    python benchmarks/cwru_faults.py RUN FOLDER [--length 2048]

Normal stretches are those of the last fifth of the record whose name holds `normal`, which the training
does not see; every other file is a fault. Stretches share no sample, and each is scored alone. The interval
is that of a bootstrap over stretches, normal and faulty ones drawn apart; where no stretch is out of order it
says nothing, and 1 - 0.05^(1/n) bounds the share of normal stretches that a faulty one does not outrank
(95%). The root mean square alone, a detector that needs no model, stands beside it. Writes cwru-faults.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seqflow.data.open import open_recordings
from seqflow.data.recording import Recording
from seqflow.jobs.machine import machine
from seqflow.metrics import roc_area
from seqflow.model import Model
from seqflow.runtime import repeatable
from seqflow.scoring import score_recording

Array = NDArray[np.float64]
DRAWS = 2000


def stretches(recording: Recording, begin: int, length: int) -> Iterator[Recording]:
    """Parts of this length from `begin` on."""
    for start in range(begin, recording.length - length + 1, length):
        yield recording.part(start, start + length)


def measured(model: Model, parts: Iterator[Recording]) -> tuple[Array, Array, Array]:
    """Scores, alarms and root mean squares."""
    rows = []
    with repeatable(model.device):
        for part in parts:
            found = score_recording(
                model.flow, part, model.recipe.score, model.calibration, window=model.window
            )
            values = part.read(0, part.length).values
            rows.append((found.score, bool(found.alarm), float(np.sqrt(np.mean(values**2)))))
    scores, alarms, level = np.array(rows, dtype=np.float64).T
    return scores, alarms, level


def area(normal: Array, faulty: Array) -> tuple[float, float, float]:
    """AUROC with its 95% bootstrap interval."""
    labels = np.r_[np.zeros(len(normal)), np.ones(len(faulty))]
    value = roc_area(np.r_[normal, faulty], labels)
    rng = np.random.default_rng(0)
    drawn = [
        roc_area(np.r_[rng.choice(normal, len(normal)), rng.choice(faulty, len(faulty))], labels)
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return value, float(low), float(high)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run)
    files = {
        path.stem: open_recordings(path, model.recipe.data, rate=model.rate)[0]
        for path in sorted(options.folder.glob("*.npy"))
    }
    (name,) = [stem for stem in files if "normal" in stem]
    share = model.recipe.data.split.train_end
    assert isinstance(share, float), "train with data.split.train_end as a fraction"
    whole = files.pop(name)
    normal = measured(model, stretches(whole, round(share * whole.length), options.length))
    about = machine()
    lines = [
        "# Faults of a bearing against normal vibration",
        "",
        f"CWRU, drive end, 48 kHz, 1797 rpm, faults of 0.007 inch; recipe {model.recipe.name}, seed 0, "
        f"normal record up to {share:.0%}; stretches of {options.length} samples, {len(normal[0])} of them "
        f"normal ones of the rest, of which {normal[1].mean():.0%} alarm "
        f"({model.recipe.score.alarm_rate:.0%} are accepted). {about['cpu']}, one thread.",
        "",
        "| fault | stretches | AUROC | 95% interval | alarms | AUROC of the root mean square |",
        "|---|---|---|---|---|---|",
    ]
    apart = True
    for stem, recording in files.items():
        found = measured(model, stretches(recording, 0, options.length))
        value, low, high = area(normal[0], found[0])
        apart &= value == 1.0
        lines.append(
            f"| {stem} | {len(found[0])} | {value:.4f} | {low:.4f} to {high:.4f} | {found[1].mean():.1%} | "
            f"{area(normal[2], found[2])[0]:.4f} |"
        )
    bound = 1.0 - 0.05 ** (1.0 / len(normal[0]))
    lines += apart * [
        "",
        f"With {len(normal[0])} normal stretches none of which outranks a faulty one, the share of normal "
        f"ones that would may still be {bound:.0%} (95% bound).",
    ]
    page = "\n".join(lines) + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "cwru-faults.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
