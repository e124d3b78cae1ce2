"""The figures of generated sequences: each a distance from real ones, beside that of other real ones.

Shapes: sequences (N, C, T).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model import Model
from ..quality.comparison import MEASURES, Description, Ruler, compare
from ..quality.neighbours import TrainingIndex, closer_than_held_out, nearest_rows
from ..sampling import DrawnBatch
from .sample_material import Material, Windows, stretches
from .sample_results import Band, ClassReport, Figure

Array = NDArray[np.floating[Any]]

_MOST_INDEXED = 4_000_000
_MOST_SEARCHED, _MOST_NEAREST = 64, 256


class Units(NamedTuple):
    """Sensors are measured in deviations of real data, each channel from its mean; sound as it is."""

    mean: Array
    deviation: Array

    def apply(self, x: Array) -> NDArray[np.float32]:
        """Sequences (..., C, T) in these units."""
        return np.asarray((x - self.mean[:, None]) / self.deviation[:, None], np.float32)


def measures(model: Model, length: int, sound: bool, real: Windows, train: Windows) -> tuple[Units, Ruler]:
    """The units of the figures, and what measures in them.

    Noise is that of the model's quantisation, Δ²/12; without one 100 dB below the data. The range of sound
    is full scale, where its ends count as clipped; that of sensors is the one of the training windows.
    """
    known = train.x if len(train) else real.x
    channels = known.shape[1]
    if sound:
        units = Units(np.zeros(channels), np.ones(channels))
    else:
        deviation = known.std(axis=(0, 2), dtype=np.float64)
        units = Units(known.mean(axis=(0, 2), dtype=np.float64), np.where(deviation > 0, deviation, 1.0))
    measured = units.apply(known)
    power = np.square(measured, dtype=np.float64).mean(axis=(0, 2))
    least = np.maximum(1e-10 * power, 1e-20)
    noise = np.square(model.step / units.deviation) / 12.0 if model.step else least
    if sound:
        step = model.step or 0.0
        low, high = np.full(channels, -1.0 + step / 2), np.full(channels, 1.0 - 1.5 * step)
    else:
        low, high = measured.min(axis=(0, 2)), measured.max(axis=(0, 2))
    return units, Ruler.make(length, model.rate, sound=sound, noise=noise, low=low, high=high)


def nonfinite(drawn: DrawnBatch) -> Figure:
    """Share of sequences of which a draw was not finite; the goal is none."""
    share = 100.0 * float((drawn.redrawn > 0).mean())
    return Figure("nonfinite", "sequences with a value that is not finite", "%", share, 0.0, 0.0)


def left(drawn: DrawnBatch) -> Figure:
    """Share of draws that left full scale, and were drawn again."""
    draws = len(drawn.values) + int(drawn.redrawn.sum() + drawn.beyond.sum())
    share = 100.0 * float(drawn.beyond.sum()) / draws
    return Figure("left", "draws that left full scale, and were drawn again", "%", share, 0.0)


def distances(found: Mapping[str, Description], ruler: Ruler) -> list[Figure]:
    """Each of `quality.comparison.MEASURES`, from the sets `generated`, `real` and, if there is, `floor`."""
    values = compare(found["generated"], found["real"], ruler)
    floors = compare(found["floor"], found["real"], ruler) if "floor" in found else {}
    return [
        Figure(key, measure.name, measure.unit, values[key], floors.get(key), measure.goal)
        for key, measure in MEASURES.items()
    ]


def bands(found: Mapping[str, Description], ruler: Ruler) -> tuple[Band, ...]:
    """Mean levels of the sets in octave bands."""
    means = {name: one.levels.mean(axis=0) for name, one in found.items()}
    return tuple(
        Band(
            float(low),
            float(high),
            float(means["real"][k]),
            float(means["generated"][k]),
            float(means["floor"][k]) if "floor" in means else None,
        )
        for k, (low, high) in enumerate(ruler.edges)
    )


def copies(
    material: Material, found: Mapping[str, Description], units: Units, length: int, notes: list[str]
) -> list[Figure]:
    """Distances to the nearest training data, as multiples of those of held-out sequences."""
    if "train" not in found:
        notes.append("no search for copies: there are no training data to search")
        return []
    held = stretches(material.train, length, _MOST_INDEXED)
    index = TrainingIndex([units.apply(one) for one in held], length)
    names = [name for name in ("generated", "floor", "real") if name in found]
    wave = {name: index.distance(_spread(found[name].x, _MOST_SEARCHED)) for name in names}
    training = found["train"].spectra.reshape(len(found["train"].spectra), -1)
    spectrum = {
        name: nearest_rows(
            _spread(found[name].spectra, _MOST_NEAREST).reshape(-1, training.shape[1]), training
        )
        for name in names
    }
    figures = []
    for key, text, nearest in (
        ("copy_wave", "distance to the nearest training stretch, over that of held-out data", wave),
        ("copy_spectrum", "the same for log spectra", spectrum),
    ):
        ratios = {
            name: closer_than_held_out(nearest[name], nearest["real"]) for name in names if name != "real"
        }
        figures.append(Figure(key, text, "ratio", ratios["generated"], ratios.get("floor")))
    return figures


def frechet(report: ClassReport) -> Figure:
    """The Fréchet distance of a classifier's report as a figure."""
    name = f"Fréchet distance in a classifier of {report.condition}"
    return Figure(f"frechet_{report.condition}", name, "", report.frechet, report.frechet_floor)


def _spread(x: Array, most: int) -> Array:
    """At most so many items, evenly spread."""
    count = min(most, len(x))
    return x[(2 * np.arange(count) + 1) * len(x) // (2 * count)]
