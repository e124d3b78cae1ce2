"""CPU time of a score with and without each of its terms, beside the model's pass alone.

    python benchmarks/score_terms.py RUN FILE... [--repeats 5]

RUN is calibrated with the terms that are to be timed, `complexity` and `ratio` among them where wanted (see
docs/scoring.md). One thread, CPU. Each variant scores all files `repeats` times, in turn, and the least CPU
time of a round counts. Writes score-terms.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from seqflow.jobs.inputs import Input, open_input
from seqflow.jobs.machine import machine
from seqflow.model import Model
from seqflow.runtime import repeatable
from seqflow.scoring import score_recording

ASIDE = ("complexity", "ratio")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.run)
    assert model.calibration is not None, "calibrate the run first"
    recordings = [
        recording
        for path in options.files
        for recording in open_input(model, Input(path.name, path), strict=False)
    ]
    seconds = sum(recording.length / (recording.rate or 1.0) for recording in recordings)
    known = model.calibration.terms
    usual = tuple(name for name in known if name not in ASIDE)
    variants = {"nll": ("nll",), ", ".join(usual): usual}
    variants |= {f"the same and {name}": (*usual, name) for name in ASIDE if name in known}
    made = {}
    for label, terms in variants.items():
        config = model.recipe.score.model_copy(
            update={"terms": terms, "background": model.recipe.score.background if "ratio" in terms else None}
        )
        made[label] = replace(model, recipe=model.recipe.model_copy(update={"score": config}))
    best = dict.fromkeys(made, float("inf"))
    with repeatable(model.device):
        for _ in range(options.repeats):
            for label, one in made.items():
                begin = time.process_time()
                for recording in recordings:
                    score_recording(one.flow, recording, one.recipe.score, one.calibration, window=one.window)
                best[label] = min(best[label], time.process_time() - begin)
    base = best[", ".join(usual)]
    about = machine()
    unit = "second of signal" if recordings[0].rate else "sample"
    lines = [
        "# CPU time of the terms of a score",
        "",
        f"Recipe {model.recipe.name}, windows of {model.window} samples every {model.calibration.hop}; "
        f"{len(recordings)} recordings, {seconds:.0f} s; least of {options.repeats} rounds. {about['cpu']}, "
        "one thread.",
        "",
        f"| terms | CPU ms per {unit} | beside the usual terms |",
        "|---|---:|---:|",
        *(
            f"| {label} | {1e3 * spent / seconds:.2f} | {100.0 * (spent / base - 1.0):+.0f}% |"
            for label, spent in best.items()
        ),
    ]
    page = "\n".join(lines) + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "score-terms.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
