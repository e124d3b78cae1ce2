"""A picture of what is unusual in a series: the series, the fused score, the intervals shaded.

Shapes: values, mask (C, T).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.recording import Mask, Recording, Values
from ..detector import FUSED
from ..drawing import (
    GREY,
    INK,
    LIGHT,
    MOST_LANES,
    PLAIN,
    SCORE,
    WORST,
    Clock,
    clock_of,
    envelope,
    figure_file,
    lanes,
)
from ..scoring.ranked import RankedInterval
from .detect_results import Detection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = 70


def detection_figure(recording: Recording, values: Values, mask: Mask, found: Detection, path: Path) -> None:
    """Write a PNG, whole or not at all: the channels, the fused score, and the events with their ranks.

    `values` are those of the channels of `found`, which has scores. Of more than 6 channels those are shown
    that add most to the events. What is known to be normal is marked by a line below the series. The first
    event is enlarged below where it is a small part of the series.
    """
    assert found.scores is not None
    order = _shown(found)
    x = np.where(mask, values, np.nan)[order]
    names = tuple(found.channel_names[index] for index in order)
    length = x.shape[1]
    clock = clock_of(recording.rate, length)
    moments = np.arange(length) * clock.step
    near = _surroundings(found)
    lane = 1.4 + 0.3 * len(x)
    ratios = [lane, 1.4, *([0.1, lane] if near else [])]
    with figure_file(path, 10.0, 0.6 + sum(ratios)) as figure:
        axes = figure.subplots(len(ratios), 1, height_ratios=ratios)
        top, track = axes[0], axes[1]
        lanes(top, moments, x, names)
        if len(found.channel_names) > len(order):
            rest = len(found.channel_names) - len(order)
            top.set_title(f"{rest} more channels", loc="right", color=GREY)
        envelope(track, moments, np.asarray(found.scores[FUSED], np.float64), SCORE)
        track.axhline(0.0, color=LIGHT, linewidth=0.8)
        track.set_ylabel("how unusual")
        track.margins(y=0.15)
        for event in found.events:
            _shade(top, event, clock)
            _shade(track, event, clock)
            _number(track, event, clock)
        if found.normal is not None:
            low = top.get_ylim()[0]
            top.plot([0.0, found.normal * clock.step], [low, low], color=GREY, linewidth=4.0, clip_on=False)
        for ax in (top, track):
            ax.set_xlim(0.0, length * clock.step)
        top.tick_params(labelbottom=False)
        first = recording.time_of(0)
        track.set_xlabel(f"{clock.unit} since {first}" if first else clock.unit, **PLAIN)
        top.set_title(_title(found), loc="left", **PLAIN)
        if near:
            axes[2].set_axis_off()
            lanes(axes[3], moments[near], x[:, near], names)
            _shade(axes[3], found.events[0], clock)
            axes[3].set_xlim(near.start * clock.step, near.stop * clock.step)
            axes[3].set_xlabel(f"{clock.unit}, around 1")


def _shade(ax: Axes, event: RankedInterval, clock: Clock) -> None:
    begin, end = event.start * clock.step, event.end * clock.step
    # The edges show what is narrower than a pixel.
    ax.axvspan(begin, end, color=WORST, alpha=0.35 if event.rank == 1 else 0.2, linewidth=0.8, zorder=0)


def _number(ax: Axes, event: RankedInterval, clock: Clock) -> None:
    ax.annotate(
        str(event.rank),
        (event.peak * clock.step, event.height),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=INK,
    )


def _surroundings(found: Detection) -> slice | None:
    """Samples around the first event; None where they are no small part of the series."""
    if not found.events:
        return None
    event = found.events[0]
    margin = 2 * max(event.end - event.start, *(lengths[0] for lengths in found.windows if lengths))
    near = slice(max(0, event.start - margin), min(found.samples, event.end + margin))
    return near if 4 * (near.stop - near.start) < found.samples else None


def _shown(found: Detection) -> list[int]:
    count = len(found.channel_names)
    if count <= MOST_LANES or found.shares is None:
        return list(range(min(count, MOST_LANES)))
    weight = np.zeros(count)
    for event in found.events:
        weight += np.nansum(found.shares[:, event.start : event.end], axis=1) / event.height
    return sorted(np.argsort(-weight, kind="stable")[:MOST_LANES].tolist())


def _title(found: Detection) -> str:
    name = found.name if len(found.name) <= _TITLE else "..." + found.name[3 - _TITLE :]
    name = name.encode("utf-8", "backslashreplace").decode()
    known = "nothing known to be normal" if found.normal is None else "line: known to be normal"
    text = "".join(c if c.isprintable() else "?" for c in name)
    return f"{text}   ·   ranks, no alarms   ·   {known}"
