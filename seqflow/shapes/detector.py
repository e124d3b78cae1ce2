"""Anomalies of one series from its shapes: no training, no labels, one configuration.

Shapes: a series (C, T); a channel (T,).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from ..detector import FUSED, Detected
from ..errors import UsageError
from .excess import Excess
from .gaussian import WindowGaussian
from .period import find_period
from .shape import Shape
from .window_model import WindowModel, window_lengths

Array = NDArray[np.floating[Any]]
Scores = NDArray[np.float64]

_FEWEST = 32
# What is a likelihood of what, in units of the channel's deviation; all other tracks are none.
_KINDS = {
    "shape": "likelihood of the window without its level, its amplitude softened",
    "density": "likelihood of the standardised window without its level",
    "gaussian": "likelihood of the standardised window",
}


@dataclass(frozen=True)
class ShapeDetector:
    """Scores of a series by mixtures of the shapes of its windows, several lengths at once.

    A channel is standardised and modelled at window lengths of one period (or `shortest`, where the period
    is shorter or there is none) and `fixed` ones by `WindowModel`, and by a `WindowGaussian`. Each gives
    every sample the mean surprise of the windows that cover it, which counts by its `Excess`; of these the
    largest is taken, since an anomaly shows at its own scale, and smoothed over a quarter of the first
    length. Channels add up, but for flags (no more than two values): they have no density, and a track of
    their own.

    Fitted on the first samples, the reference is their scores. Fitted on all, the models are fitted again
    without the most unusual tenth of their examples, the Gaussian does not count, and the reference is all
    scores. Where both is asked for, each of the two is divided by its mean and they are added.

    Tracks: `fused`; `shape`, the surprise of the first length, nats; `density`, the same with softening 0:
    the negative log-density of a window of x without its level, nats; `gaussian`, that of the
    WindowGaussian, nats; `flags` where there are some. Only `density` and `gaussian` are densities of
    windows of x; `shape` is one of a window that was transformed, `fused` is none. Where both is asked for,
    all but `fused` are those fitted on the first samples.

    Attributes:
        fixed: window lengths, samples.
        shortest: least length of the first window, and the length of the Gaussian's.
        components: of a mixture.
        examples: windows that a model is fitted to, at most.
        trim: share of examples left out where the series is not known to be normal.
        shape: what counts of a window.
        seed: of examples and of k-means.
    """

    fixed: tuple[int, ...] = (16, 32, 64, 128)
    shortest: int = 64
    components: int = 64
    examples: int = 6_000
    trim: float = 0.1
    shape: Shape = field(default_factory=Shape)
    seed: int = 0

    def __call__(self, values: Array, train: int | None, /, whole: bool = False) -> Detected:
        """Scores of all samples of `values` (C, T), finite.

        Args:
            values: the series.
            train: so many first samples are known to be normal; None: nothing is.
            whole: whether to fit on all samples too; always where nothing is known.

        Raises UsageError for fewer than 32 samples, or fewer to fit on, and for values that are not finite.
        """
        x = np.atleast_2d(np.asarray(values, np.float64))
        known = x.shape[1] if train is None else train
        if x.ndim != 2 or not _FEWEST <= known <= x.shape[1]:
            raise UsageError(
                f"shapes: {known} of {x.shape[-1]} samples to fit on: at least {_FEWEST} are needed, and no "
                "more than there are"
            )
        if not np.isfinite(x).all():
            raise UsageError("shapes: there are values that are not finite; fill them in first")
        begin = time.perf_counter()
        seen = x[:, :known] if not whole else x
        flags = _flags(seen)
        timer = Timer()
        channels = [self._channel(channel, train, whole, timer) for channel in x[~flags]]
        tracks = {name: np.sum([one.tracks[name] for one in channels], axis=0) for name in channels[0].tracks}
        if flags.any():
            parts = [self._flag(channel, train, whole, timer) for channel in x[flags]]
            tracks["flags"] = np.sum(parts, axis=0)
        seconds = time.perf_counter() - begin
        return Detected(
            tracks=tracks,
            fit_seconds=timer.seconds,
            score_seconds=seconds - timer.seconds,
            kinds={name: _KINDS.get(name, "no likelihood") for name in tracks},
            notes={
                "periods": [one.period for one in channels],
                "windows": [one.lengths[0] for one in channels],
                "flags": np.flatnonzero(flags).tolist(),
                **{name: [one.notes[name] for one in channels] for name in channels[0].notes},
            },
        )

    def channel_scores(self, values: Array, train: int | None, /, whole: bool = False) -> Scores:
        """What each channel adds to `fused`: (C, T), zeros for flags. Arguments and errors as in a call."""
        x = np.atleast_2d(np.asarray(values, np.float64))
        flags = _flags(x[:, :train] if train is not None and not whole else x)
        shares = np.zeros(x.shape)
        for index in np.flatnonzero(~flags):
            shares[index] = self(x[index : index + 1], train, whole).tracks[FUSED]
        return shares

    def _channel(self, x: Scores, train: int | None, whole: bool, timer: Timer) -> _Channel:
        known = None if train is None else self._fitted(x, train, 0.0, timer)
        if known is not None and not whole:
            return known
        every = self._fitted(x, len(x), self.trim, timer)
        if known is None:
            return every
        both = _mean_one(known.tracks[FUSED]) + _mean_one(every.tracks[FUSED])
        return _Channel({**known.tracks, FUSED: both}, known.period, known.lengths, known.notes)

    def _fitted(self, x: Scores, fit: int, trim: float, timer: Timer) -> _Channel:
        """Fitted on the first `fit` samples; their scores are the reference."""
        z = _standardised(x, fit)
        seen = z[:fit]
        with timer:
            period = find_period(seen)
            lengths = window_lengths(period, fit, self.fixed, self.shortest)
            models = [self._model(seen, length, self.shape, trim) for length in lengths]
            plain = self._model(seen, lengths[0], Shape(0.0, self.shape.floor), trim)
            gaussian = WindowGaussian.fit(seen, min(self.shortest, max(2, fit // 4)), self.examples)
        surprises, notes = self._surprises(models, z, fit, trim, timer)
        tracks = {"shape": surprises[FUSED][0], "density": plain.track(z), "gaussian": gaussian.track(z)}
        # One Gaussian for all there is has learned the anomalies too.
        more = [] if trim > 0.0 else [tracks["gaussian"]]
        fused = {name: _fused([*own, *more], fit, lengths[0] // 4) for name, own in surprises.items()}
        return _Channel({**fused, **tracks}, period, lengths, notes)

    def _surprises(
        self, models: Sequence[WindowModel], z: Scores, fit: int, trim: float, timer: Timer
    ) -> tuple[dict[str, list[Scores]], dict[str, Any]]:
        """Surprise of every sample by each of the models, for `fused` and tracks made like it, and notes.

        With a trim the samples that they are fitted to are not known to be normal.
        """
        return {FUSED: [model.track(z) for model in models]}, {}

    def _flag(self, x: Scores, train: int | None, whole: bool, timer: Timer) -> Scores:
        """Excess of the surprise of a channel of few values, at the shortest length."""
        fit = len(x) if train is None or whole else train
        z = _standardised(x, fit)
        length = window_lengths(None, fit, (), self.shortest)[0]
        with timer:
            model = self._model(z[:fit], length, self.shape, 0.0)
        track = model.track(z)
        return Excess.of(track[:fit])(track)

    def _model(self, x: Scores, length: int, shape: Shape, trim: float, floor: float = 1.0) -> WindowModel:
        return WindowModel.fit(
            x,
            length,
            shape=shape,
            components=self.components,
            examples=self.examples,
            trim=trim,
            floor=floor,
            seed=self.seed,
        )


@dataclass(frozen=True)
class _Channel:
    """Tracks of a channel (T,), its period, the window lengths, that of `shape` first, and what to note."""

    tracks: dict[str, Scores]
    period: int | None
    lengths: tuple[int, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)


class Timer:
    """Seconds spent inside it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begin = 0.0

    def __enter__(self) -> None:
        self._begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._begin


def _fused(surprises: Sequence[Scores], fit: int, smoothing: int) -> Scores:
    """The largest excess over the first `fit` samples, smoothed over so many."""
    highest = np.max([Excess.of(track[:fit])(track) for track in surprises], axis=0)
    return np.asarray(scipy.ndimage.uniform_filter1d(highest, max(1, smoothing), mode="nearest"))


def _standardised(x: Scores, fit: int) -> Scores:
    """Mean 0 and deviation 1 on the first `fit` samples; without the latter where they do not move."""
    deviation = float(x[:fit].std())
    moves = deviation > 1e-9 * float(np.abs(x).max())
    return np.asarray((x - x[:fit].mean()) / (deviation if moves else 1.0))


def _flags(seen: Array) -> NDArray[np.bool_]:
    """Channels with no more than two values; none where all are such."""
    flags = np.array([len(np.unique(channel)) <= 2 for channel in seen])
    return flags if not flags.all() else np.zeros(len(seen), bool)


def _mean_one(scores: Scores) -> Scores:
    mean = float(scores.mean())
    # Excesses of rounding, of a channel that stands still, count for nothing.
    return np.asarray(scores / mean) if mean > 1e-4 else np.zeros(len(scores))
