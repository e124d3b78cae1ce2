"""A picture of an explanation: recorded, nearest normal, residual, and surprise over time and frequency.

Shapes: sequences (C, T).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.filling import fill_lines
from ..data.recording import Recording
from ..drawing import (
    GREY,
    MOST_LANES,
    PLAIN,
    SCORE,
    WAVE,
    WORST,
    clock_of,
    envelope,
    figure_file,
    spectrogram,
    surprise_image,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .explain import Explained

# The interval is this part of what is shown, and no fewer samples are.
_PART, _LEAST = 3, 400
_LEAST_SPECTRUM = 128


def explanation_figure(recording: Recording, found: Explained, path: Path, *, names: Sequence[str]) -> None:
    """Write a PNG, whole or not at all: the interval, shaded, with as much again on either side.

    A row for each channel, at most 6 and those with the largest shares, recorded in grey below the nearest
    normal in blue, and one for its residual; then `place` of both, the spectrogram of the recording (the mean
    power over channels), and the map of surprise, the last two for 128 samples or more.
    """
    begin, end = _shown(found)
    part = slice(begin, end)
    clock = clock_of(recording.rate, end - begin)
    moments = np.arange(begin, end) * clock.step
    lanes = sorted(np.argsort(-found.shares, kind="stable")[:MOST_LANES].tolist())
    spectrum = end - begin >= _LEAST_SPECTRUM
    ratios = [*(1.5, 1.0) * len(lanes), 1.2, *((1.5, 1.5) if spectrum else ())]
    with figure_file(path, 10.0, 0.9 + sum(ratios)) as figure:
        axes = list(figure.subplots(len(ratios), 1, height_ratios=ratios))
        for row, lane in enumerate(lanes):
            top, below = axes[2 * row], axes[2 * row + 1]
            recorded, normal = found.recorded[lane, part], found.normal[lane, part]
            envelope(top, moments, recorded, GREY)
            envelope(top, moments, normal, WAVE)
            envelope(below, moments, recorded - normal, SCORE)
            several = len(found.shares) > 1
            name = names[lane] + (f"\n{100.0 * found.shares[lane]:.0f}%" if several else "")
            top.set_ylabel(name, **PLAIN)
            below.set_ylabel("residual")
        track = axes[2 * len(lanes)]
        for score, colour, text in ((found.before, GREY, "recorded"), (found.after, WAVE, "nearest normal")):
            if score.arrays is not None:
                envelope(track, moments, score.arrays["place"][part], colour)
                track.plot([], [], color=colour, label=text)
        if track.get_ylim()[1] > 20.0:
            track.set_yscale("symlog", linthresh=2.0)
            track.yaxis.set_major_formatter("{x:g}")
        track.axhline(1.0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        track.set_ylabel("how unusual")
        track.legend(loc="upper right", frameon=False, fontsize=7.5, ncols=2)
        plain = axes[: 2 * len(lanes) + 1]
        if spectrum:
            values = found.recorded[:, part]
            spectrogram(axes[-2], moments, fill_lines(values, np.isfinite(values)), clock)
            surprise_image(axes[-1], found.map.values, found.map.edges, found.map.hop, found.map_start, clock)
        for ax in plain:
            _shade(ax, found, clock.step)
        for ax in axes:
            ax.set_xlim(moments[0], moments[-1] + clock.step)
            ax.tick_params(labelbottom=ax is axes[-1], labelsize=7.5)
        axes[-1].set_xlabel(clock.unit)
        axes[0].set_title(_title(recording, found), loc="left", **PLAIN)


def _shown(found: Explained) -> tuple[int, int]:
    size = found.stop - found.start
    margin = max(_PART * size, _LEAST) // 2
    return max(0, found.start - margin), min(found.recorded.shape[1], found.stop + margin)


def _shade(ax: Axes, found: Explained, step: float) -> None:
    ax.axvspan(found.start * step, found.stop * step, color=WORST, alpha=0.2, linewidth=0, zorder=0)


def _title(recording: Recording, found: Explained) -> str:
    name = recording.name if len(recording.name) <= 40 else "..." + recording.name[-37:]
    name = name.encode("utf-8", "backslashreplace").decode()
    shown = "".join(c if c.isprintable() else "?" for c in name)
    judged = [
        f"score {one.score:.1f}, p = {one.p_value:.3g}"
        for one in (found.before, found.after)
        if one.score is not None and one.p_value is not None
    ]
    return f"{shown}   ·   grey: recorded, {judged[0]}   ·   blue: nearest normal, {judged[-1]}"
