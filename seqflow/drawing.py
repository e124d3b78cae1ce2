"""What all figures are drawn with: colours, the file, the clock on the axis, waves and spectrograms.

Shapes: sequences (C, T).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .files import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating[Any]]

INK, GREY, LIGHT = "#1b2838", "#8a94a0", "#e3e7eb"
WAVE, SCORE, WORST = "#2f6690", "#d1495b", "#f4a259"
SHADES = ("#2f6690", "#3a9188", "#b5838d", "#8d6a9f", "#c98b2b", "#5b7f95")
STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}
"""What all figures share, as matplotlib's settings."""
# Names from files may hold dollar signs.
PLAIN: dict[str, Any] = {"parse_math": False}
COLUMNS = 1600
MOST_LANES = 6
MOST_ROWS = 8
_RANGE_DB = 80.0


@contextmanager
def figure_file(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure that is written to `path` when the block ends; no state of matplotlib is touched for good."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rc: Any = {**mpl.rcParamsDefault, **STYLE}
    with mpl.rc_context(rc), warnings.catch_warnings():
        # A name may hold letters that the font lacks; it then shows boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), dpi=130, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        yield figure
        with atomic(path) as file:
            # Without the version of matplotlib among its data.
            figure.savefig(file, format="png", metadata={"Software": None})


class Clock(NamedTuple):
    """How time is written: its unit, the seconds (without a rate, samples) in one, and units in a sample.

    Frequencies are `scale` times those in cycles a second, or a sample, in the unit `pitch`.
    """

    unit: str
    seconds: float
    step: float
    pitch: str
    scale: float


def clock_of(rate: float | None, length: int) -> Clock:
    """For this many samples: the largest unit of which there are at least ten, as far as there is one."""
    if rate is None:
        return Clock("samples", 1.0, 1.0, "cycles/sample", 1.0)
    units = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
    unit = next((name for name, seconds in units.items() if length / rate >= 10.0 * seconds), "seconds")
    pitches = {"kHz": 1e-3, "Hz": 1.0, "cycles/hour": 3600.0, "cycles/day": 86400.0}
    pitch = next((name for name, scale in pitches.items() if rate * scale >= 2.0), "cycles/day")
    return Clock(unit, units[unit], 1.0 / rate / units[unit], pitch, pitches[pitch])


def envelope(ax: Axes, moments: Array, values: Array, colour: str) -> None:
    """A line; of more samples than a figure has columns, the band from the lowest to the highest of each."""
    if len(values) <= 2 * COLUMNS:
        ax.plot(moments, values, color=colour, linewidth=0.9, zorder=2)
        return
    size = math.ceil(len(values) / COLUMNS)
    padded = np.pad(values, (0, -len(values) % size), constant_values=np.nan).reshape(-1, size)
    empty = np.isnan(padded).all(axis=1)
    low = np.where(empty, np.nan, np.where(np.isnan(padded), np.inf, padded).min(axis=1))
    high = np.where(empty, np.nan, np.where(np.isnan(padded), -np.inf, padded).max(axis=1))
    ax.fill_between(moments[::size], low, high, color=colour, linewidth=0.6, zorder=2)


def lanes(ax: Axes, moments: Array, x: Array, names: Sequence[str]) -> None:
    """Channels one above the other, the first on top; the units stay those of the recording for one."""
    shown = x[:MOST_LANES]
    if len(shown) == 1:
        envelope(ax, moments, shown[0], WAVE)
        # Columns without names are numbered.
        ax.set_ylabel(names[0] if names and not names[0].isdigit() else "value", **PLAIN)
        return
    labels = list(names) or [f"channel {index}" for index in range(len(x))]
    for index, lane in enumerate(shown):
        low, high = np.nanmin(lane, initial=np.inf), np.nanmax(lane, initial=-np.inf)
        height = high - low if high > low else 1.0
        envelope(ax, moments, 0.85 * (lane - low) / height - index, SHADES[index])
    ax.set_yticks([0.42 - index for index in range(len(shown))], labels[: len(shown)], **PLAIN)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if len(x) > len(shown):
        ax.set_title(f"{len(x) - len(shown)} more channels", loc="right", color=GREY)


def spectrogram(ax: Axes, moments: Array, x: Array, clock: Clock, bar: bool = True) -> None:
    """Mean power over channels in dB below the highest, Hann windows."""
    length = x.shape[1]
    size = int(min(1024, max(16, 2 ** round(math.log2(length) / 2 + 1))))
    hop = max(1, length // COLUMNS)
    import librosa

    # Frames stand around their samples, over the ends too: the signal goes on as its mirror image.
    starts = np.arange(0, length, hop)
    # Levels are relative: scaled to 1, the sums over huge values stay finite.
    x = x / (float(np.abs(x).max()) or 1.0)
    power = np.zeros((size // 2 + 1, len(starts)))
    for lane in x:
        frames = librosa.stft(lane - lane.mean(), n_fft=size, hop_length=hop, pad_mode="reflect")
        power += np.abs(frames[:, : len(starts)]) ** 2
    top = power.max() or 1.0
    level = 10.0 * np.log10(np.maximum(power / top, 1e-30))
    half = hop * clock.step / 2
    centre = moments[0] + starts * clock.step
    rate = 1.0 / (clock.step * clock.seconds)
    extent = (centre[0] - half, centre[-1] + half, 0.0, 0.5 * rate * clock.scale)
    # The quiet tenth is black, so that a strong component does not hide the rest.
    floor = max(-_RANGE_DB, float(np.quantile(level, 0.1)))
    image = ax.imshow(
        level, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=min(floor, -10.0), vmax=0.0
    )
    ax.set_facecolor("#000004")
    ax.set_ylabel(clock.pitch)
    if bar:
        ax.figure.colorbar(image, ax=ax, label="dB", pad=0.01, fraction=0.04, aspect=14)


def surprise_image(ax: Axes, values: Array, edges: Array, hop: int, start: int, clock: Clock) -> None:
    """Deviations (bands, N) of octaves by time, red where there is too much, blue where too little.

    `edges` (bands + 1) of the octaves are fractions of the rate; frame n stands around sample start + n·hop.
    Octaves are equally high. Up to 3 deviations the colours are linear, beyond logarithmic.
    """
    from matplotlib.colors import SymLogNorm

    bands, frames = values.shape
    half = 0.5 * hop * clock.step
    first = start * clock.step
    extent = (first - half, first + (frames - 1) * hop * clock.step + half, 0.0, float(bands))
    top = max(10.0, float(np.quantile(np.abs(values), 0.999)))
    image = ax.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=extent,
        cmap="RdBu_r",
        norm=SymLogNorm(3.0, vmin=-top, vmax=top, base=10.0),
    )
    rate = clock.scale / (clock.step * clock.seconds)
    ax.set_yticks(range(bands + 1), [f"{edge * rate:.3g}" for edge in edges])
    ax.set_ylabel(clock.pitch)
    ticks = [tick for tick in (-100.0, -10.0, -3.0, 0.0, 3.0, 10.0, 100.0) if abs(tick) <= top]
    bar = ax.figure.colorbar(
        image, ax=ax, label="deviations", pad=0.01, fraction=0.04, aspect=14, ticks=ticks, format="{x:g}"
    )
    bar.minorticks_off()
