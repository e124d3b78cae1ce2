"""Figures: where a recording is unusual, how scores lie against normal ones, what a model draws.

Each function writes one PNG, whole or not at all; equal arguments give equal bytes. Shapes: sequences (C, T).
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

from .data.recording import Recording
from .files import atomic
from .scoring import Calibration, FileScore
from .scoring.fuse import fuse
from .scoring.term import robust

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating[Any]]

_INK, _GREY, _LIGHT = "#1b2838", "#8a94a0", "#e3e7eb"
_WAVE, _SCORE, _WORST = "#2f6690", "#d1495b", "#f4a259"
_SHADES = ("#2f6690", "#3a9188", "#b5838d", "#8d6a9f", "#c98b2b", "#5b7f95")
STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
}
"""What all figures share, as matplotlib's settings."""
# Names from files may hold dollar signs.
_PLAIN: dict[str, Any] = {"parse_math": False}
_COLUMNS = 1600
_MOST_LANES = 6
_MOST_ROWS = 8
_MOST_UNITS = 200
_RANGE_DB = 80.0


def localisation_figure(recording: Recording, score: FileScore, path: Path, *, context: int = 0) -> None:
    """The samples of a recording, its per-sample score with the worst interval shaded, and its spectrogram.

    `score` holds the per-sample `arrays` of this recording. The track is `place` where there is one, else
    `nll`. The spectrogram is the mean power over channels, in dB, and left out for recordings of fewer than
    128 samples. With `context`, in samples, the surroundings of a worst interval that is short beside the
    recording are shown enlarged below. Raises ValueError where the arrays are missing or of another length.
    """
    if score.arrays is None:
        raise ValueError("the score has no arrays: ask score_recording for them")
    track = "place" if "place" in score.arrays else "nll"
    steps = score.arrays[track]
    values, mask = recording.read(0, recording.length)
    if len(steps) != values.shape[1]:
        raise ValueError(f"{len(steps)} scores for {values.shape[1]} samples")
    x = np.where(mask, values, np.nan)
    clock = _clock(recording.rate, x.shape[1])
    moments = (recording.start + np.arange(x.shape[1])) * clock.step
    spectrum = x.shape[1] >= 128
    near = _surroundings(recording, score, context)
    ratios = [2.0, 1.4, *([2.2] if spectrum else []), *([0.1, 2.0] if near else [])]
    with _figure(path, 10.0, 1.3 + 1.05 * sum(ratios)) as figure:
        axes = figure.subplots(len(ratios), 1, height_ratios=ratios)
        _lanes(axes[0], moments, x, recording.channel_names)
        _track(axes[1], moments, steps, track)
        whole = axes[: 2 + spectrum]
        if spectrum:
            _spectrogram(axes[2], moments, _filled(values, mask), clock)
        for ax in whole[:2]:
            _shade(ax, score, clock)
        for ax in whole:
            ax.set_xlim(moments[0], moments[-1] + clock.step)
            ax.tick_params(labelbottom=ax is whole[-1])
        whole[-1].set_xlabel(clock.unit)
        if near:
            axes[-2].set_axis_off()
            begin, end = near
            closer = _clock(recording.rate, end - begin)
            moments = (recording.start + np.arange(begin, end)) * closer.step
            _lanes(axes[-1], moments, x[:, begin:end], recording.channel_names)
            _shade(axes[-1], score, closer)
            axes[-1].set_xlim(moments[0], moments[-1] + closer.step)
            axes[-1].set_xlabel(f"{closer.unit}, around the worst interval")
        axes[0].set_title(_headline(score), loc="left", **_PLAIN)


def overview_figure(scores: Sequence[FileScore], calibration: Calibration, path: Path) -> None:
    """Scores of recordings against those of the calibration: the fused score, and each term.

    Every row is in deviations (1.4826 times the median absolute one) of the calibration from its median:
    grey are its units, at most 200 of them, coloured the recordings. Beyond 5 the axis is logarithmic.
    """
    units = calibration.units
    if len(units) > _MOST_UNITS:
        units = units[np.linspace(0, len(units) - 1, _MOST_UNITS).round().astype(int)]
    fused = [fuse(np.delete(units, i, axis=0), units[i]).score for i in range(len(units))]
    found = [s for s in scores if s.score is not None and set(s.terms) >= set(calibration.terms)]
    normal = np.column_stack([fused, units])
    rows = [[s.score, *(s.terms[name] for name in calibration.terms)] for s in found]
    own = np.array(rows, dtype=np.float64).reshape(len(rows), normal.shape[1])
    middle, deviation = robust(normal, 1e-12)
    normal, own = (normal - middle) / deviation, (own - middle) / deviation
    alarms = np.array([bool(s.alarm) for s in found], dtype=bool)
    names = ["score", *calibration.terms]
    with _figure(path, 9.0, 1.0 + 0.55 * len(names)) as figure:
        ax = figure.subplots()
        ax.axvline(0.0, color=_LIGHT, linewidth=1.2, zorder=0)
        for k in range(len(names)):
            ax.axhline(-k - 0.5, color=_LIGHT, linewidth=0.8, zorder=0)
            _dots(ax, normal[:, k], 0.2 - k, _GREY, 10.0)
            _dots(ax, own[~alarms, k], -0.2 - k, _WAVE, 16.0)
            _dots(ax, own[alarms, k], -0.2 - k, _SCORE, 16.0)
        ax.set_xscale("symlog", linthresh=5.0, linscale=1.5)
        low, high = ax.get_xlim()
        decades = max(1, math.ceil(math.log10(max(-low, high))))
        ticks = [2.0, 5.0, *(10.0**k for k in range(1, decades + 1, math.ceil(decades / 6)))]
        ax.set_xticks([tick for tick in (*(-t for t in ticks), 0.0, *ticks) if low <= tick <= high])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.set_xlim(low, high)
        ax.set_ylim(-len(names) + 0.5, 0.5)
        ax.set_yticks([-float(k) for k in range(len(names))], names)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("deviations from the median of the calibration")
        count = int(alarms.sum())
        what = "recording" if len(own) == 1 else "recordings"
        ax.set_title(f"{len(own)} {what}, {count} with an alarm", loc="left")
        for colour, text in (
            (_GREY, f"calibration {calibration.unit}s"),
            (_WAVE, "recordings" if calibration.unit == "recording" else "worst block of a recording"),
            (_SCORE, "with an alarm"),
        ):
            ax.scatter([], [], s=14.0, color=colour, label=text)
        ax.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=3,
            frameon=False,
            fontsize=8,
            borderpad=0,
            handletextpad=0.2,
        )


def samples_figure(
    samples: Sequence[Array], rate: float | None, path: Path, reference: Sequence[Array] | None = None
) -> None:
    """Overview of drawn sequences (C, T): each as a wave, and beside it its spectrogram.

    At most 8 rows; `reference` are recorded sequences, which come first, in grey. All waves share one scale.
    """
    given = list(reference or ())[: _MOST_ROWS // 2]
    shown = [(x, True) for x in given]
    shown += [(x, False) for x in samples[: _MOST_ROWS - len(given)]]
    if not shown:
        raise ValueError("there are no samples to show")
    shown = [(np.atleast_2d(np.asarray(x, dtype=np.float64)), real) for x, real in shown]
    spectrum = min(x.shape[1] for x, _ in shown) >= 64
    low, high = min(float(x.min()) for x, _ in shown), max(float(x.max()) for x, _ in shown)
    margin = 0.06 * ((high - low) or 1.0)
    with _figure(path, 10.0, 0.9 + 1.15 * len(shown)) as figure:
        grid: dict[str, Any] = {"width_ratios": [1.5, 1.0]} if spectrum else {}
        axes = figure.subplots(len(shown), 2 if spectrum else 1, squeeze=False, sharex="col", **grid)
        drawn = 0
        for row, (x, real) in zip(axes, shown, strict=True):
            drawn += not real
            clock = _clock(rate, max(one.shape[1] for one, _ in shown))
            moments = np.arange(x.shape[1]) * clock.step
            for index, lane in enumerate(x[:_MOST_LANES]):
                colour = _GREY if real else _SHADES[index]
                _envelope(row[0], moments, lane, colour)
            row[0].set_ylim(low - margin, high + margin)
            row[0].set_xlim(0, x.shape[1] * clock.step)
            row[0].set_ylabel("recorded" if real else f"{drawn}", rotation=0, ha="right", va="center")
            row[0].tick_params(labelsize=7.5)
            if spectrum:
                _spectrogram(row[1], moments, x, clock, bar=False)
                row[1].tick_params(labelsize=7.5)
                row[1].yaxis.set_label_position("right")
                row[1].yaxis.tick_right()
        for ax in axes[-1]:
            ax.set_xlabel(clock.unit)
        channels = shown[-1][0].shape[0]
        axes[0][0].set_title(f"drawn sequences, {channels} channel{'s' * (channels > 1)}", loc="left")
        if spectrum:
            axes[0][1].set_title("spectrograms", loc="left")


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Figure]:
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


def _headline(score: FileScore) -> str:
    name = score.name if len(score.name) <= 60 else "..." + score.name[-57:]
    shown = [name.encode("utf-8", "backslashreplace").decode()]
    if score.score is not None and score.p_value is not None:
        shown.append(f"score {score.score:.1f}")
        shown.append(f"p = {score.p_value:.3g}")
        shown.append("ALARM" if score.alarm else "no alarm")
    if score.status != "ok":
        shown.append(score.status)
    return "   ·   ".join("".join(c if c.isprintable() else "?" for c in part) for part in shown)


def _lanes(ax: Axes, moments: Array, x: Array, names: Sequence[str]) -> None:
    """Channels one above the other, the first on top; the units stay those of the recording for one."""
    shown = x[:_MOST_LANES]
    if len(shown) == 1:
        _envelope(ax, moments, shown[0], _WAVE)
        # Columns without names are numbered.
        ax.set_ylabel(names[0] if names and not names[0].isdigit() else "value", **_PLAIN)
        return
    labels = list(names) or [f"channel {index}" for index in range(len(x))]
    for index, lane in enumerate(shown):
        low, high = np.nanmin(lane, initial=np.inf), np.nanmax(lane, initial=-np.inf)
        height = high - low if high > low else 1.0
        _envelope(ax, moments, 0.85 * (lane - low) / height - index, _SHADES[index])
    ax.set_yticks([0.42 - index for index in range(len(shown))], labels[: len(shown)], **_PLAIN)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if len(x) > len(shown):
        ax.set_title(f"{len(x) - len(shown)} more channels", loc="right", color=_GREY)


def _track(ax: Axes, moments: Array, steps: Array, name: str) -> None:
    _envelope(ax, moments, steps, _SCORE)
    ax.axhline(0.0, color=_GREY, linewidth=0.8)
    if name == "place":
        if np.nanmax(steps, initial=0.0) > 20.0:
            ax.set_yscale("symlog", linthresh=2.0)
            ax.yaxis.set_major_formatter("{x:g}")
        ax.axhline(1.0, color=_GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        ax.annotate(
            "high for a normal window",
            (1.0, 1.0),
            xycoords=("axes fraction", "data"),
            xytext=(-3, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=_GREY,
            fontsize=7.5,
        )
        ax.set_ylabel("how unusual")
    else:
        ax.set_ylabel("nats per sample")


def _shade(ax: Axes, score: FileScore, clock: _Clock) -> None:
    if score.worst_start is not None and score.worst_end is not None:
        begin, end = score.worst_start / clock.seconds, score.worst_end / clock.seconds
        ax.axvspan(begin, end, color=_WORST, alpha=0.28, linewidth=0, zorder=0)


class _Clock(NamedTuple):
    """How time is written: its unit, the seconds (without a rate, samples) in one, and units in a sample.

    Frequencies are `scale` times those in cycles a second, or a sample, in the unit `pitch`.
    """

    unit: str
    seconds: float
    step: float
    pitch: str
    scale: float


def _clock(rate: float | None, length: int) -> _Clock:
    """For this many samples: the largest unit of which there are at least ten, as far as there is one."""
    if rate is None:
        return _Clock("samples", 1.0, 1.0, "cycles/sample", 1.0)
    units = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
    unit = next((name for name, seconds in units.items() if length / rate >= 10.0 * seconds), "seconds")
    pitches = {"kHz": 1e-3, "Hz": 1.0, "cycles/hour": 3600.0, "cycles/day": 86400.0}
    pitch = next((name for name, scale in pitches.items() if rate * scale >= 2.0), "cycles/day")
    return _Clock(unit, units[unit], 1.0 / rate / units[unit], pitch, pitches[pitch])


def _surroundings(recording: Recording, score: FileScore, context: int) -> tuple[int, int] | None:
    """Samples (begin, end) around the worst interval; None where they are no small part of the recording."""
    if context < 1 or score.worst_start is None or score.worst_end is None:
        return None
    rate = recording.rate or 1.0
    begin = round(score.worst_start * rate) - recording.start
    end = round(score.worst_end * rate) - recording.start
    margin = max(2 * context, end - begin)
    begin, end = max(0, begin - margin), min(recording.length, end + margin)
    return (begin, end) if 0 < 4 * (end - begin) < recording.length else None


def _filled(values: Array, mask: NDArray[np.bool_]) -> Array:
    """Samples (C, T) with straight lines over those that are not valid, which would ring at every pitch."""
    filled = np.array(values, dtype=np.float64)
    for lane, valid in zip(filled, mask, strict=True):
        if valid.any() and not valid.all():
            lane[~valid] = np.interp(np.flatnonzero(~valid), np.flatnonzero(valid), lane[valid])
    return filled


def _envelope(ax: Axes, moments: Array, values: Array, colour: str) -> None:
    """A line; of more samples than a figure has columns, the band from the lowest to the highest of each."""
    if len(values) <= 2 * _COLUMNS:
        ax.plot(moments, values, color=colour, linewidth=0.9, zorder=2)
        return
    size = math.ceil(len(values) / _COLUMNS)
    padded = np.pad(values, (0, -len(values) % size), constant_values=np.nan).reshape(-1, size)
    empty = np.isnan(padded).all(axis=1)
    low = np.where(empty, np.nan, np.where(np.isnan(padded), np.inf, padded).min(axis=1))
    high = np.where(empty, np.nan, np.where(np.isnan(padded), -np.inf, padded).max(axis=1))
    ax.fill_between(moments[::size], low, high, color=colour, linewidth=0.6, zorder=2)


def _spectrogram(ax: Axes, moments: Array, x: Array, clock: _Clock, bar: bool = True) -> None:
    """Mean power over channels in dB below the highest, Hann windows."""
    length = x.shape[1]
    size = int(min(1024, max(16, 2 ** round(math.log2(length) / 2 + 1))))
    hop = max(1, length // _COLUMNS)
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


def _dots(ax: Axes, values: Array, height: float, colour: str, size: float) -> None:
    """A cloud of dots around a height; the jitter is made of the order, not of chance."""
    jitter = (np.arange(len(values)) * 0.6180339887) % 1.0 - 0.5
    ax.scatter(values, height + 0.3 * jitter, s=size, color=colour, alpha=0.6, linewidth=0, zorder=3)
