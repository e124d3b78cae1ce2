"""Pictures for pages, as PNG in memory. Equal arguments give equal bytes.

Shapes: a sequence is (C, T). Real data are grey, generated ones blue, throughout.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from ..drawing import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating[Any]]

REAL, GENERATED, FLOOR = "#8a94a0", "#2f6690", "#f4a259"
RANGE_DB = 80.0
_DPI = 100
_MOST_LANES = 4


def spectrogram_levels(x: Array) -> Array:
    """Power of Hann frames, mean over channels, dB: (bins, frames); nothing is below -200."""
    length = x.shape[-1]
    size = int(min(512, max(16, 2 ** round(math.log2(length) / 2 + 1))))
    size = min(size, length)
    hop = max(1, min(size // 4, length // 400 or 1))
    taper = scipy.signal.windows.hann(size, sym=False)
    wide = np.asarray(x, np.float64) - np.mean(x, axis=-1, keepdims=True)
    frames = np.lib.stride_tricks.sliding_window_view(wide, size, axis=-1)[:, ::hop] * taper
    power = np.square(np.abs(np.fft.rfft(frames))).mean(axis=0) / float(np.square(taper).sum())
    return np.asarray(10.0 * np.log10(np.maximum(power.T, 1e-20)))


def spectrogram_picture(levels: Array, seconds: float, rate: float, top: float, span: float) -> bytes:
    """Levels (bins, frames) of `seconds`; the colours go from `top` dB down by 80, the axis to `span` s.

    Without a clock, `rate` is 1 and seconds are samples.
    """

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        scale = 1e-3 if rate > 2000.0 else 1.0
        extent = (0.0, seconds, 0.0, 0.5 * rate * scale)
        ax.imshow(
            levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=top - RANGE_DB, vmax=top
        )
        ax.set_xlim(0.0, span)
        ax.set_xlabel("seconds" if rate != 1.0 else "samples", fontsize=7.5)
        ax.set_ylabel("kHz" if scale < 1.0 else ("Hz" if rate != 1.0 else "cycles/sample"))
        ax.tick_params(labelsize=7.5)

    return _png(draw, 4.2, 1.5)


def wave_picture(x: Array, rate: float | None, low: float, high: float, real: bool) -> bytes:
    """The samples of a sequence, channels below each other; one channel on the axis from low to high."""

    def draw(figure: Figure) -> None:
        lanes = np.asarray(x, np.float64)[:_MOST_LANES]
        axes = figure.subplots(len(lanes), 1, squeeze=False, sharex=True)[:, 0]
        moments = np.arange(lanes.shape[1]) / (rate or 1.0)
        for ax, lane in zip(axes, lanes, strict=True):
            ax.plot(moments, lane, color=REAL if real else GENERATED, linewidth=0.8)
            ax.set_xlim(0.0, moments[-1] or 1.0)
            ax.tick_params(labelsize=7.5)
            if len(x) == 1:
                ax.set_ylim(low, high)
        axes[-1].set_xlabel("seconds" if rate else "samples", fontsize=7.5)

    return _png(draw, 4.2, 0.6 + 0.9 * min(len(x), _MOST_LANES))


def bands_picture(edges: Array, real: Array, generated: Array, floor: Array | None, goal: float) -> bytes:
    """Mean levels (K,) of octave bands with edges (K, 2), and below their differences from the real ones."""

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1.0])
        places = np.arange(len(real), dtype=np.float64)
        upper.plot(places, real, "o-", color=REAL, label="real")
        upper.plot(places, generated, "o-", color=GENERATED, label="generated", markersize=4)
        upper.set_ylabel("mean level, dB")
        upper.legend(frameon=False, fontsize=8)
        lower.axhspan(-goal, goal, color="#e3e7eb", zorder=0)
        lower.axhline(0.0, color=REAL, linewidth=0.8)
        width = 0.36
        lower.bar(places - width / 2, generated - real, width, color=GENERATED, label="generated")
        if floor is not None:
            lower.bar(places + width / 2, floor - real, width, color=FLOOR, label="other real data")
        lower.set_ylabel("minus real, dB")
        lower.legend(frameon=False, fontsize=8)
        lower.set_xticks(places, [_edge(low, high) for low, high in edges], rotation=30, ha="right")
        lower.set_xlabel(f"octave bands; shaded: within {goal:g} dB")

    return _png(draw, 6.4, 4.4)


def loudness_picture(real: Array, generated: Array, floor: Array | None, sound: bool) -> bytes:
    """Histograms of the RMS (N,) of sequences: in dB below full scale for sound, else in its own unit."""

    def level(values: Array) -> Array:
        return 20.0 * np.log10(np.maximum(values, 1e-6)) if sound else np.asarray(values)

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        sets = [("real", real, REAL), ("generated", generated, GENERATED)]
        if floor is not None:
            sets.append(("other real data", floor, FLOOR))
        shown = [level(values) for _, values, _ in sets]
        low, high = min(v.min() for v in shown), max(v.max() for v in shown)
        bins = np.linspace(low, high if high > low else low + 1.0, 41)
        for (name, _, colour), values in zip(sets, shown, strict=True):
            weights = np.full(len(values), 100.0 / len(values))
            filled = name == "real"
            ax.hist(
                values,
                bins=bins.tolist(),
                weights=weights,
                histtype="stepfilled" if filled else "step",
                color=colour,
                alpha=0.55 if filled else 1.0,
                linewidth=1.4,
                label=name,
            )
        ax.set_xlabel(
            "RMS of sequences, dB of full scale" if sound else "RMS of sequences, deviations of real data"
        )
        ax.set_ylabel("% of sequences")
        ax.legend(frameon=False, fontsize=8)

    return _png(draw, 6.4, 3.2)


def _edge(low: float, high: float) -> str:
    return f"{_short(low)}-{_short(high)}"


def _short(frequency: float) -> str:
    return f"{frequency / 1000.0:.3g}k" if frequency >= 1000.0 else f"{frequency:.3g}"


def _png(draw: Callable[[Figure], None], width: float, height: float) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rc: Any = {**mpl.rcParamsDefault, **STYLE}
    with mpl.rc_context(rc):
        figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        draw(figure)
        file = io.BytesIO()
        # Without the version of matplotlib among its data.
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def common_top(levels: Sequence[Array]) -> float:
    """The highest level of all spectrograms, dB: one scale of colours for a page."""
    return float(max((one.max() for one in levels), default=0.0))
