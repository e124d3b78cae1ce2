"""What is lost on the way of whole recordings to noise and back, in float64.

    python benchmarks/round_trip.py RUN FOLDER.. [--most 1000] [--out benchmarks/results]

Every recording of FOLDER, which may be patterns, goes through the flow of RUN as one sequence, cut to a
multiple of what the flow squeezes by, and back. An error below half a quantisation step is none once values
are rounded to their steps. Writes round_trip.json and round_trip.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import seqflow
from seqflow.data.discover import expand
from seqflow.data.open import open_recordings
from seqflow.jobs.machine import machine


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=1000, help="recordings, evenly spread over the names")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = seqflow.load(options.run)
    flow = model.flow.in_float64()
    faults: list[Exception] = []
    paths = sorted(expand(options.folder, model.recipe.data, faults.append))
    chosen = (
        [paths[i * len(paths) // options.most] for i in range(options.most)]
        if len(paths) > options.most
        else paths
    )
    errors, samples = [], 0
    for path in chosen:
        for recording in open_recordings(path, model.recipe.data, name=path.name):
            length = recording.length // flow.divisor * flow.divisor
            if not length:
                continue
            x = torch.from_numpy(np.asarray(recording.read(0, length).values, np.float64))[None]
            step = recording.step or model.step
            context = {"position": torch.zeros(1, dtype=torch.int64)}
            errors.append(flow.round_trip(x, context).absolute / step)
            samples += length
    facts = {
        "model": model.recipe.name,
        "recordings": len(errors),
        "samples": samples,
        "largest_error_in_steps": max(errors),
        "median_of_largest_errors_in_steps": float(np.median(errors)),
        "lossless": sum(error < 0.5 for error in errors),
        "machine": machine(),
    }
    text = (
        f"{facts['model']}: {len(errors):,} recordings, {samples:,} samples, to noise and back in float64.\n"
        f"Largest error {max(errors):.2e} of a quantisation step (median over recordings "
        f"{np.median(errors):.2e}); {facts['lossless']:,} recordings come back to the bit.\n"
    )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "round_trip.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (options.out / "round_trip.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
