"""Figures of scores: where a recording is unusual, how scores lie against normal ones.

Each function writes one PNG, whole or not at all; equal arguments give equal bytes. Shapes: sequences (C, T).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .data.filling import fill_lines
from .data.recording import Recording
from .drawing import (
    GREY,
    LIGHT,
    PLAIN,
    SCORE,
    WAVE,
    WORST,
    Array,
    Clock,
    clock_of,
    envelope,
    figure_file,
    lanes,
    spectrogram,
    surprise_image,
)
from .explanation.surprise import SurpriseMap
from .scoring import Calibration, FileScore
from .scoring.fuse import fuse
from .scoring.term import robust

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_UNITS = 200


def localisation_figure(
    recording: Recording,
    score: FileScore,
    path: Path,
    *,
    context: int = 0,
    surprise: SurpriseMap | None = None,
) -> None:
    """The samples of a recording, its per-sample score with the worst interval shaded, and its spectrogram.

    Below it the map of `surprise` of this recording, where one is given.

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
    clock = clock_of(recording.rate, x.shape[1])
    moments = (recording.start + np.arange(x.shape[1])) * clock.step
    spectrum = x.shape[1] >= 128
    near = _surroundings(recording, score, context)
    maps = [*([2.2] if spectrum else []), *([1.8] if surprise else [])]
    ratios = [2.0, 1.4, *maps, *([0.1, 2.0] if near else [])]
    with figure_file(path, 10.0, 1.3 + 1.05 * sum(ratios)) as figure:
        axes = figure.subplots(len(ratios), 1, height_ratios=ratios)
        lanes(axes[0], moments, x, recording.channel_names)
        _track(axes[1], moments, steps, track)
        whole = axes[: 2 + len(maps)]
        if spectrum:
            spectrogram(axes[2], moments, fill_lines(values, mask), clock)
        if surprise:
            surprise_image(whole[-1], surprise.values, surprise.edges, surprise.hop, recording.start, clock)
        for ax in whole[:2]:
            _shade(ax, score, clock)
        for ax in whole:
            ax.set_xlim(moments[0], moments[-1] + clock.step)
            ax.tick_params(labelbottom=ax is whole[-1])
        whole[-1].set_xlabel(clock.unit)
        if near:
            axes[-2].set_axis_off()
            begin, end = near
            closer = clock_of(recording.rate, end - begin)
            moments = (recording.start + np.arange(begin, end)) * closer.step
            lanes(axes[-1], moments, x[:, begin:end], recording.channel_names)
            _shade(axes[-1], score, closer)
            axes[-1].set_xlim(moments[0], moments[-1] + closer.step)
            axes[-1].set_xlabel(f"{closer.unit}, around the worst interval")
        axes[0].set_title(_headline(score), loc="left", **PLAIN)


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
    with figure_file(path, 9.0, 1.0 + 0.55 * len(names)) as figure:
        ax = figure.subplots()
        ax.axvline(0.0, color=LIGHT, linewidth=1.2, zorder=0)
        for k in range(len(names)):
            ax.axhline(-k - 0.5, color=LIGHT, linewidth=0.8, zorder=0)
            _dots(ax, normal[:, k], 0.2 - k, GREY, 10.0)
            _dots(ax, own[~alarms, k], -0.2 - k, WAVE, 16.0)
            _dots(ax, own[alarms, k], -0.2 - k, SCORE, 16.0)
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
            (GREY, f"calibration {calibration.unit}s"),
            (WAVE, "recordings" if calibration.unit == "recording" else "worst block of a recording"),
            (SCORE, "with an alarm"),
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


def _track(ax: Axes, moments: Array, steps: Array, name: str) -> None:
    envelope(ax, moments, steps, SCORE)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    if name == "place":
        if np.nanmax(steps, initial=0.0) > 20.0:
            ax.set_yscale("symlog", linthresh=2.0)
            ax.yaxis.set_major_formatter("{x:g}")
        ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        third = max(1, len(steps) // 3)
        early, late = (np.nanmax(part, initial=0.0) for part in (steps[:third], steps[-third:]))
        # Where the curve is lower.
        side, offset, align = (0.0, 3, "left") if late > early else (1.0, -3, "right")
        ax.annotate(
            "high for a normal window",
            (side, 1.0),
            xycoords=("axes fraction", "data"),
            xytext=(offset, 2),
            textcoords="offset points",
            ha=align,
            va="bottom",
            color=GREY,
            fontsize=7.5,
        )
        ax.set_ylabel("how unusual")
    else:
        ax.set_ylabel("nats per sample")


def _shade(ax: Axes, score: FileScore, clock: Clock) -> None:
    if score.worst_start is not None and score.worst_end is not None:
        begin, end = score.worst_start / clock.seconds, score.worst_end / clock.seconds
        ax.axvspan(begin, end, color=WORST, alpha=0.28, linewidth=0, zorder=0)


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


def _dots(ax: Axes, values: Array, height: float, colour: str, size: float) -> None:
    """A cloud of dots around a height; the jitter is made of the order, not of chance."""
    jitter = (np.arange(len(values)) * 0.6180339887) % 1.0 - 0.5
    ax.scatter(values, height + 0.3 * jitter, s=size, color=colour, alpha=0.6, linewidth=0, zorder=3)
