"""The page of `seqflow benchmark samples`: figures, and sequences side by side.

Shapes: a sequence is (C, T) in the units of the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.recording import Recording
from ..quality.comparison import MEASURES
from ..report.page import Excerpt, Page, render
from ..report.pictures import bands_picture, loudness_picture
from .sample_results import HEAD, SampleBenchmark, facts, sentences, table

Array = NDArray[np.floating[Any]]


def excerpts(recordings: Sequence[Recording], length: int, count: int) -> list[tuple[Recording, Excerpt]]:
    """The middle `length` samples, or all, of recordings spread evenly over the list, with where they are."""
    count = min(count, len(recordings))
    chosen = [recordings[(2 * i + 1) * len(recordings) // (2 * count)] for i in range(count)]
    found = []
    for one in chosen:
        start = max(0, (one.length - length) // 2)
        values = np.asarray(one.read(start, length).values)
        found.append((one, Excerpt(values, _place(one, start, values.shape[1]))))
    return found


def caption(index: int, asked: Mapping[str, str]) -> str:
    """What is written below a generated sequence."""
    return f"generated {index + 1}" + "".join(f", {name} {value}" for name, value in asked.items())


def page(
    result: SampleBenchmark,
    rms: Mapping[str, Array],
    real: Sequence[Excerpt],
    generated: Sequence[Excerpt],
    sound: bool,
) -> str:
    """The page as HTML. `rms` holds those of sequences by `real`, `generated` and, if there is, `floor`."""
    edges = np.array([(band.low, band.high) for band in result.bands])
    floors = [band.floor for band in result.bands if band.floor is not None]
    goal = MEASURES["band_level"].goal or 0.0
    bands = bands_picture(
        edges,
        np.array([band.real for band in result.bands]),
        np.array([band.generated for band in result.bands]),
        np.array(floors) if floors else None,
        goal,
    )
    loudness = loudness_picture(rms["real"], rms["generated"], rms.get("floor"), sound)
    unit = "Hz" if result.rate else "cycles a sample"
    return render(
        Page(
            title=f"Generated sequences of {result.recipe}",
            facts=facts(result),
            head=HEAD,
            rows=table(result),
            rows_met=[figure.met for figure in result.figures],
            notes=[*(line for one in result.classes for line in sentences(one)), *result.notes],
            real=real,
            generated=generated,
            rate=result.rate,
            sound=sound,
            pictures=[(f"Mean level in octave bands, {unit}", bands), ("Loudness of sequences", loudness)],
        )
    )


def _place(one: Recording, start: int, length: int) -> str:
    begin, end = one.start + start, one.start + start + length
    if one.rate is None:
        return f"{one.name}, samples {begin} to {end}"
    return f"{one.name}, {begin / one.rate:.3f} to {end / one.rate:.3f} s"
