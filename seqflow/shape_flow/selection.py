"""Whether couplings make windows of a length more likely, by windows that no training has seen.

Shapes: a channel x (T,), standardised.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..shapes import WindowModel
from .couplings import Couplings

Array = NDArray[np.floating[Any]]
Fit = Callable[[Array, int, float], WindowModel]
"""The mixture of the windows of a channel, of a length, with variances of at least a share of their mean."""

# Ends of the parts of what is known to be normal: one to train on, one that says when to stop, one that
# decides, one that only reports. In the order of time: what is scored comes later too.
_PARTS = (0.6, 0.75, 0.9, 1.0)
# Lengths of a window that the shortest part must hold.
_FEWEST = 1.3
_EVERY, _PATIENCE = 25, 6
_WINDOWS = 512
# Share of the time for the training that says when to stop; the last one gets as many steps.
_FIRST = 0.5


@dataclass(frozen=True)
class Verdict:
    """What became of the couplings for windows of one length.

    Attributes:
        length: of the windows, samples; the flow has an even length, one less than that of an odd one.
        outcome: `kept`: more likely with them than without, whatever the variances. `no better`: not. `too
            short`: too little is known to be normal to hold windows back; not tried.
        gain: nats per sample that they add to the mixture on the windows that decided; NaN where not tried.
        closed: what maximum-likelihood variances add to it there, without couplings and in closed form: the
            mixture's own do not fall below their mean, since it tells shapes apart better so.
        gain_reported, closed_reported: the same on windows that decided nothing.
        steps: after which training is best stopped.
        seconds: of CPU.
    """

    length: int
    outcome: Literal["kept", "no better", "too short"]
    gain: float = math.nan
    closed: float = math.nan
    gain_reported: float = math.nan
    closed_reported: float = math.nan
    steps: int = 0
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the couplings count."""
        return self.outcome == "kept"

    def plain(self) -> dict[str, Any]:
        """What JSON has."""
        known = self.outcome != "too short"
        gains = {
            "gain": self.gain,
            "closed": self.closed,
            "gain_reported": self.gain_reported,
            "closed_reported": self.closed_reported,
        }
        return {
            "length": self.length,
            "outcome": self.outcome,
            **(gains if known else {}),
            "steps": self.steps,
        }


def select(
    x: Array,
    length: int,
    fit: Fit,
    *,
    seconds: float,
    couplings: int = 4,
    steps: int = 1_000,
    seed: int = 0,
    always: bool = False,
) -> tuple[Verdict, Couplings | None]:
    """Train couplings on the first part of x (T,), which is known to be normal, and decide on the others.

    Mixture and couplings see the first 60%, the next 15% say when to stop, the next 15% decide, the last 10%
    only report. Where they are kept, or `always`, the mixture is fitted to all of x and couplings are trained
    on all of it over it, for as many steps; otherwise the second result is None. Trainings take about
    `seconds` of CPU time in all, and so many steps each at most: what fits into a time may differ from one
    machine to another.
    """
    even = length - length % 2
    ends = [int(part * len(x)) for part in _PARTS]
    if min(np.diff([0, *ends])) < _FEWEST * even or even < 4:
        return Verdict(length, "too short"), None
    begin = time.process_time()
    first, stop, decide, report = (
        _windows(x[start:end], even) for start, end in zip([0, *ends[:-1]], ends, strict=True)
    )
    start = fit(x[: ends[0]], even, 1.0)
    likeliest = fit(x[: ends[0]], even, 0.0)
    tried = Couplings(start, couplings, seed)
    best, taken, waited = 0.0, 0, 0
    weights = {name: value.clone() for name, value in tried.flow.state_dict().items()}

    def check(step: int) -> bool:
        nonlocal best, taken, waited, weights
        gain = float(tried.gains(stop).mean())
        if gain > best:
            best, taken, waited = gain, step, 0
            weights = {name: value.clone() for name, value in tried.flow.state_dict().items()}
        else:
            waited += 1
        return waited < _PATIENCE and time.process_time() - begin < _FIRST * seconds

    tried.train(first, steps, check, _EVERY)
    tried.flow.load_state_dict(weights)
    gain, gain_reported = (float(tried.gains(part).mean()) for part in (decide, report))
    closed, closed_reported = (_closed(start, likeliest, part) for part in (decide, report))
    kept = taken > 0 and gain > max(closed, 0.0)
    final = None
    if kept or always:
        final = Couplings(fit(x, even, 1.0), couplings, seed)
        final.train(_all(x, even), taken)
    outcome: Literal["kept", "no better"] = "kept" if kept else "no better"
    spent = time.process_time() - begin
    return Verdict(length, outcome, gain, closed, gain_reported, closed_reported, taken, spent), final


def _closed(start: WindowModel, other: WindowModel, windows: Array) -> float:
    """How much more likely shapes are by the other mixture, nats per sample."""
    u = start.shape.coefficients(windows)
    return float((other.mixture.log_prob(u) - start.mixture.log_prob(u)).mean()) / start.length


def _all(x: Array, length: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(x, length)


def _windows(x: Array, length: int) -> Array:
    """At most so many windows, evenly spread."""
    windows = _all(x, length)
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), _WINDOWS)).astype(np.int64)
    return np.asarray(windows[chosen])
