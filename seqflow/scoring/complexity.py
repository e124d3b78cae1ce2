"""What a model finds hard beyond what a codec does: negative log-density minus code length.

Source: J. Serrà, D. Álvarez, V. Gómez, O. Slizovskaia, J. Núñez and J. Luque, Input complexity and
out-of-distribution detection with likelihood-based generative models (2020): S(x) = -log2 p(x) - L(x).

Shapes: windows (B, C, W).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..codec import DEPTHS, frame_bits
from .passes import FlowPass
from .term import Array, Statistics, Term

_FALLBACK = 16
"""Bits of the range of a window that is on no lattice a code has room for."""


class Coded(NamedTuple):
    """Code length, bits per sample (of one channel), and the mean of log2(step) that it was counted at."""

    bits: float
    log_step: float


class Complexity(Term):
    """-log2 p - L, bits per sample: L the length of the window as FLAC, each channel by itself.

    Both are counted at the same step: that of the recording, or where it has none, or one too fine for 24
    bits, in each channel the power of two that parts its range in the window into 2^15 to 2^16 steps, at
    least the spacing of float32 there. Simple sounds are likely and short, noise is unlikely and long: the
    difference takes that off. A window is coded for itself, without the header of a file: its value depends
    on nothing else. No normalised likelihood: codes of FLAC are no density that was fitted to anything.
    """

    name = "complexity"
    pool = "mean"
    learns = ()

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, 1) bits per sample."""
        return batch.nll.mean(-1, keepdim=True) / math.log(2.0) - _offset(batch)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Nothing to learn."""
        return {}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """Bits per sample (B,)."""
        return features[:, 0]

    def steps(self, batch: FlowPass, statistics: Statistics) -> Tensor:
        """Bits of each step (B, T); the code's are those of the window, spread evenly."""
        return batch.nll / math.log(2.0) - _offset(batch)


def _offset(batch: FlowPass) -> Tensor:
    """(B, 1): code length and log2(step)."""
    found = [sum(coded(window, batch.step)) for window in batch.x.detach().cpu().numpy()]
    return torch.tensor(found, dtype=batch.share.dtype, device=batch.share.device).unsqueeze(-1)


def coded(window: Array, step: float = 0.0) -> Coded:
    """A window (C, W) as FLAC, at this step where there is one."""
    bits, log_step = 0, 0.0
    for row in window:
        own = step
        found = _codes(row, own) if own > 0.0 else None
        if found is None:
            own = _own_step(row)
            found = _codes(row, own)
            assert found is not None
        bits += frame_bits(*found)
        log_step += math.log2(own)
    return Coded(bits / window.size, log_step / len(window))


def _codes(row: Array, step: float) -> tuple[NDArray[np.int64], int] | None:
    """Whole numbers of steps, around 0 where they fit there, and their depth; None where none is enough."""
    with np.errstate(over="ignore", invalid="ignore"):
        codes = np.rint(row / step)
    low, high = float(codes.min()), float(codes.max())
    for depth in DEPTHS:
        top = 2.0 ** (depth - 1)
        if -top <= low and high < top:
            return codes.astype(np.int64), depth
    # Beside the level of the window: its first value.
    codes = codes - codes[0] if np.isfinite([low, high]).all() else codes
    reach = float(np.abs(codes).max())
    for depth in DEPTHS:
        if reach < 2.0 ** (depth - 1):
            return codes.astype(np.int64), depth
    return None


def _own_step(row: Array) -> float:
    """The power of two that parts the range into 2^15 to 2^16 steps, at least the spacing of float32."""
    size = float(np.abs(row).max())
    least = float(np.spacing(np.float32(min(size, 3e38))))
    span = float(row.max() - row.min())
    return 2.0 ** math.ceil(math.log2(max(span / 2.0**_FALLBACK, least)))
