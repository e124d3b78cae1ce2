"""Figures of sequences that were drawn: one below the other, and gaps that were filled.

Each function writes one PNG, whole or not at all; equal arguments give equal bytes. Shapes: sequences (C, T).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .drawing import (
    GREY,
    INK,
    MOST_LANES,
    MOST_ROWS,
    PLAIN,
    SHADES,
    WAVE,
    WORST,
    Array,
    clock_of,
    envelope,
    figure_file,
    spectrogram,
)

_MOST_DRAWS = 5
_LEAST_SPECTRUM = 64


def gap_figure(
    x: Array, start: int, draws: Array, interpolation: Array, rate: float | None, path: Path
) -> None:
    """What lies around a gap of x (C, T) that begins at `start`, and draws (n, C, G) of it.

    The first row is the recording, with whatever it holds in the gap, and dashed the `interpolation` (C, G);
    then a row for each draw, at most 5. The gap is shaded; on either side there is as much again, and at
    least 100 samples. Only the first channel is shown.
    """
    size = draws.shape[-1]
    margin = max(size, 100)
    begin, end = max(0, start - margin), min(x.shape[1], start + size + margin)
    clock = clock_of(rate, end - begin)
    moments = np.arange(begin, end) * clock.step
    inside = slice(start - begin, start - begin + size)
    recorded = np.asarray(x[0, begin:end], dtype=np.float64)
    shown = [one[0] for one in draws[:_MOST_DRAWS]]
    finite = [values[np.isfinite(values)] for values in (recorded, interpolation[0], *shown)]
    low = min((float(v.min()) for v in finite if len(v)), default=0.0)
    high = max((float(v.max()) for v in finite if len(v)), default=1.0)
    pad = 0.06 * ((high - low) or 1.0)
    with figure_file(path, 10.0, 0.9 + 1.3 * (1 + len(shown))) as figure:
        axes = figure.subplots(1 + len(shown), 1, squeeze=False, sharex=True)[:, 0]
        for row, ax in enumerate(axes):
            ax.axvspan(start * clock.step, (start + size) * clock.step, color=WORST, alpha=0.22, linewidth=0)
            if row == 0:
                envelope(ax, moments, recorded, GREY)
                dashed: dict[str, Any] = {"linestyle": (0, (3, 2)), "linewidth": 0.9, "zorder": 3}
                ax.plot(moments[inside], interpolation[0], color=INK, **dashed)
                ax.set_ylabel("recorded", rotation=0, ha="right", va="center")
            else:
                values = recorded.copy()
                values[inside] = shown[row - 1]
                envelope(ax, moments, values, GREY)
                envelope(ax, moments[inside], shown[row - 1], WAVE)
                ax.set_ylabel(f"{row}", rotation=0, ha="right", va="center")
            ax.set_ylim(low - pad, high + pad)
            ax.set_xlim(moments[0], moments[-1])
            ax.tick_params(labelsize=7.5)
        axes[-1].set_xlabel(clock.unit)
        axes[0].set_title("the gap as recorded; dashed: linear prediction; below: draws", loc="left")


def samples_figure(
    samples: Sequence[Array], rate: float | None, path: Path, reference: Sequence[Array] | None = None
) -> None:
    """Overview of drawn sequences (C, T): each as a wave, and beside it its spectrogram.

    At most 8 rows; `reference` are recorded sequences, which come first, in grey. All waves share one scale.
    """
    given = list(reference or ())[: MOST_ROWS // 2]
    drawn = list(samples[: MOST_ROWS - len(given)])
    labels = ["recorded"] * len(given) + [f"{index + 1}" for index in range(len(drawn))]
    if not labels:
        raise ValueError("there are no samples to show")
    shown = [*given, *drawn]
    channels = np.atleast_2d(shown[-1]).shape[0]
    title = f"drawn sequences, {channels} channel{'s' * (channels > 1)}"
    _column(shown, labels, rate, path, title, recorded=len(given))


def column_figure(
    sequences: Sequence[Array], labels: Sequence[str], rate: float | None, path: Path, title: str
) -> None:
    """Sequences (C, T) one below the other, each as a wave and beside it its spectrogram.

    At most 8, spread evenly over all, with their `labels`. All waves share one scale.
    """
    rows = np.unique(np.linspace(0, len(sequences) - 1, min(MOST_ROWS, len(sequences))).round().astype(int))
    _column([sequences[row] for row in rows], [labels[row] for row in rows], rate, path, title)


def _column(
    sequences: Sequence[Array],
    labels: Sequence[str],
    rate: float | None,
    path: Path,
    title: str,
    recorded: int = 0,
) -> None:
    """A row for each sequence; the first `recorded` are grey."""
    shown = [np.atleast_2d(np.asarray(x, dtype=np.float64)) for x in sequences]
    spectrum = min(x.shape[1] for x in shown) >= _LEAST_SPECTRUM
    low, high = min(float(x.min()) for x in shown), max(float(x.max()) for x in shown)
    pad = 0.06 * ((high - low) or 1.0)
    clock = clock_of(rate, max(x.shape[1] for x in shown))
    with figure_file(path, 10.0, 0.9 + 1.15 * len(shown)) as figure:
        widths = [1.5, 1.0] if spectrum else [1.0]
        axes = figure.subplots(len(shown), len(widths), squeeze=False, sharex="col", width_ratios=widths)
        for index, (row, x, label) in enumerate(zip(axes, shown, labels, strict=True)):
            moments = np.arange(x.shape[1]) * clock.step
            for shade, lane in zip(SHADES, x[:MOST_LANES], strict=False):
                envelope(row[0], moments, lane, GREY if index < recorded else shade)
            row[0].set_ylim(low - pad, high + pad)
            row[0].set_xlim(0, x.shape[1] * clock.step)
            row[0].set_ylabel(label, rotation=0, ha="right", va="center", **PLAIN)
            row[0].tick_params(labelsize=7.5)
            if spectrum:
                spectrogram(row[1], moments, x, clock, bar=False)
                row[1].tick_params(labelsize=7.5)
                row[1].yaxis.set_label_position("right")
                row[1].yaxis.tick_right()
        for ax in axes[-1]:
            ax.set_xlabel(clock.unit)
        axes[0][0].set_title(title, loc="left", **PLAIN)
        if spectrum:
            axes[0][1].set_title("spectrograms", loc="left")
