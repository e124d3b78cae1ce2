"""Conformal p-values, and terms joined into one score with a p-value of its own.

Shapes: n calibration units, K terms.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from .term import Array


def attainable_rate(n: int) -> float:
    """Smallest rate of false alarms that n calibration units can promise: 1/(n + 1)."""
    return 1.0 / (n + 1.0)


def rate_text(rate: float) -> str:
    """A rate in three digits, rounded up: one that can be promised stays so when it is typed in."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return f"{math.ceil(rate / unit - 1e-6) * unit:.3g}"


def check_rate(rate: float, n: int, unit: str = "recording", *, of: str = "", reach: int = 1) -> None:
    """Raise UsageError where n calibration units cannot promise a rate of false alarms this small.

    `of` says which units they are, and a tail reaches to a rate `reach` times smaller.
    """
    if not 0.0 < rate < 1.0:
        raise UsageError(f"alarm rate: must lie between 0 and 1, got {rate:g}")
    smallest = attainable_rate(n) / reach
    # A hair of tolerance: 0.05 with 19 units is meant to work.
    if rate < smallest * (1.0 - 1e-9):
        needed = math.ceil(1.0 / (rate * reach) - 1e-9) - 1
        units = f"{unit}{'s' * (n != 1)}{of}"
        raise UsageError(
            f"alarm rate: {rate:g} is below the smallest attainable rate {rate_text(smallest)} with "
            f"{n} calibration {units}; ask for at least that (--alarm-rate), or take a "
            f"model calibrated with {needed} {unit}s{of} or more"
        )


class Fused(NamedTuple):
    """Joint score of the terms, its conformal p-value, and the terms' own p-values (K,)."""

    score: float
    p_value: float
    terms: Array


def simes(counts: Array) -> float:
    """min over i of m·p_(i)/i: one p-value from m of them, given as the number that equal j/N, j = 1 .. N.

    Valid for conformal p-values that share their calibration, since those depend positively (Bates, Candès,
    Lei, Romano and Sesia, 2023). One extreme p-value among many says little, a share of them says much.
    """
    i = counts.cumsum()
    levels = np.arange(1, len(counts) + 1) / len(counts)
    found = counts > 0
    return float((i[-1] * levels[found] / i[found]).min())


def joined(surprises: Array) -> Array:
    """ln(mean of exp) over the last axis of -ln p (..., K), without overflow."""
    top = surprises.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(surprises - top).mean(axis=-1)) + top[..., 0])


def fuse(calibration: Array, values: Array) -> Fused:
    """Join the terms' `values` (K,) of one recording, given those of n normal ones, `calibration` (n, K).

    score = ln(mean over k of (1 + excess_k)/p_k), p_k the conformal p-value of term k: minus the logarithm of
    their harmonic mean (D. J. Wilson, 2019), which the smallest of them leads. One term that sees a fault is
    enough, whatever the others miss, and how much the terms repeat each other has little say; a sum of
    -ln p_k lets terms that see nothing outvote it. excess_k is how far the value lies beyond the largest of
    the others, in units of the lower half-spread (median - lower quartile): p-values end at 1/(n + 1), and
    without it all that lies beyond the calibration would rank alike. The terms depend on each other, so the
    score has no known distribution; its own conformal p-value needs none. For that, every calibration unit
    gets the same score, computed against the other units *and* the new recording: all n + 1 are treated
    alike, hence the guarantee P(p <= a) <= a holds exactly where the units are exchangeable and the terms'
    values are fixed functions.
    """
    bag = np.concatenate([calibration, values[None]])
    size = len(bag)
    ordered = np.sort(bag, axis=0)
    first = np.stack([np.searchsorted(ordered[:, k], bag[:, k], side="left") for k in range(bag.shape[1])], 1)
    p = (size - first) / size  # the unit itself counts as the 1 of the formula
    best, second = ordered[-1], ordered[-2] if size > 1 else ordered[-1]
    others = np.where(bag == best, second, best)
    median, quartile = np.median(ordered, axis=0), np.quantile(ordered, 0.25, axis=0)
    spread = np.maximum(median - quartile, np.maximum(1e-6 * np.abs(median), 1e-12))
    joint = joined(np.log1p(np.maximum(bag - others, 0.0) / spread) - np.log(p))
    # Sums of the same parts in the same order: equal units give equal sums, so >= needs no tolerance.
    p_value = float((joint >= joint[-1]).sum() / size)
    return Fused(float(joint[-1]), p_value, p[-1])
