"""Bits per sample of spoken digits on held-out windows: trained models beside classical densities and FLAC.

    python benchmarks/density.py --data fsdd --run runs/audio/fsdd

The same windows for all: 384 of 1,024 samples, evenly spread over all places of the test recordings (takes 5
to 9; classical densities are fitted to takes from 10 on; speaker nicolas left out). Intervals: 95%, by
resampling recordings. Writes results/density-fsdd.json and .md beside this file.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from density_references import (
    ar_gaussian,
    ar_mixture,
    ar_student,
    circulant_gaussian,
    dct_gaussian,
    laplace,
)
from numpy.typing import NDArray
from timing import machine

from seqflow import Model

Array = NDArray[np.float64]
RATE, STEP, LENGTH, WINDOWS = 8000, 2.0**-15, 1024, 384
REFERENCES: dict[str, Callable[[list[Array], Array], Array]] = {
    "i.i.d. Laplace": laplace,
    "circulant Gaussian": circulant_gaussian,
    "DCT Gaussian": dct_gaussian,
    "AR(32) Gaussian": ar_gaussian,
    "AR(32) Student-t": ar_student,
    "mixture of 64 AR(16) x 24 gains": ar_mixture,
}


def read(folder: Path) -> tuple[list[Array], list[Array]]:
    """Training and test recordings, each (n,) in [-1, 1)."""
    train, test = [], []
    for path in sorted(folder.rglob("*.wav")):
        _, speaker, take = path.stem.split("_")
        if speaker != "nicolas" and int(take) >= 5:
            (test if int(take) < 10 else train).append(soundfile.read(path)[0])
    return train, test


def cut(recordings: list[Array]) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Windows (W, T), the recording of each, and its first sample there."""
    places = np.array([max(0, len(x) - LENGTH + 1) for x in recordings])
    ends = places.cumsum()
    chosen = np.linspace(0, ends[-1] - 1, WINDOWS).astype(np.int64)
    which = np.searchsorted(ends, chosen, side="right")
    starts = chosen - (ends - places)[which]
    windows = [recordings[r][s : s + LENGTH] for r, s in zip(which, starts, strict=True)]
    return np.stack(windows), which, starts


def flac_bits(signals: list[Array]) -> float:
    """Bits per sample of the signals as one FLAC file each, at the highest compression, headers counted."""
    size = 0
    for signal in signals:
        file = io.BytesIO()
        soundfile.write(file, signal, RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
        size += len(file.getvalue())
    return 8.0 * size / sum(len(s) for s in signals)


def model_nats(model: Model, windows: Array, starts: NDArray[np.int64]) -> Array:
    """Minus the log-density of each window (W,)."""
    x = torch.from_numpy(windows).float().unsqueeze(1)
    context = {"step": torch.full((len(x),), STEP), "position": torch.from_numpy(starts)}
    parts = [
        model.log_prob(x[i : i + 64], {key: value[i : i + 64] for key, value in context.items()})
        for i in range(0, len(x), 64)
    ]
    return -torch.cat(parts).double().numpy()


def interval(bits: Array, which: NDArray[np.int64], seed: int = 0) -> tuple[float, float]:
    """95% interval of the mean, recordings drawn with replacement."""
    rng = np.random.default_rng(seed)
    names, index = np.unique(which, return_inverse=True)
    total, count = np.bincount(index, bits), np.bincount(index)
    drawn = rng.integers(len(names), size=(2000, len(names)))
    low, high = np.quantile(total[drawn].sum(1) / count[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of digit_speaker_take.wav files")
    parser.add_argument(
        "--run", type=Path, action="append", default=[], help="a trained model; several times"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    train, test = read(given.data)
    windows, which, starts = cut(test)
    rng = np.random.default_rng(0)
    noisy = [x + STEP * rng.random(len(x)) for x in train]
    seen = windows + STEP * rng.random(windows.shape)
    rows: list[dict[str, object]] = []

    def add(name: str, nats: Array, seconds: float | None = None, **more: object) -> None:
        bits = (nats / LENGTH - np.log(STEP)) / np.log(2.0)
        low, high = interval(bits, which)
        rows.append(
            {"model": name, "bits": float(bits.mean()), "interval": [low, high], "seconds": seconds, **more}
        )
        print(f"{name:40} {bits.mean():7.3f}  ({low:.3f} to {high:.3f})", flush=True)

    for name, reference in REFERENCES.items():
        begin = time.process_time()
        add(name, reference(noisy, seen), time.process_time() - begin)
    for name, signals in {
        "FLAC, the windows joined": [windows.ravel()],
        "FLAC, whole test recordings": test,
    }.items():
        rows.append({"model": name, "bits": flac_bits(signals), "interval": None, "seconds": None})
        print(f"{name:40} {rows[-1]['bits']:7.3f}", flush=True)
    for run in given.run:
        model = Model.load(run)
        info = {key: model.info.get(key) for key in ("parameters", "trained_steps", "seconds")}
        add(
            f"{model.recipe.name}, seed {model.recipe.seed}",
            model_nats(model, windows, starts),
            None,
            training=info,
        )
    write(given.out, rows)


def write(folder: Path, rows: list[dict[str, object]]) -> None:
    """The table as JSON and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "density-fsdd.json").write_text(
        json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n"
    )
    lines = ["| model | bits per 16-bit sample | 95% interval |", "|---|---|---|"]
    for row in rows:
        low_high = row["interval"]
        shown = "{:.2f} to {:.2f}".format(*low_high) if isinstance(low_high, list) else "a code length"
        lines.append(f"| {row['model']} | {row['bits']:.3f} | {shown} |")
    (folder / "density-fsdd.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
