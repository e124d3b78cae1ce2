"""Another sampling rate for any stretch of a recording, the same as if the whole had been resampled by soxr.

The rates are as M : L in lowest terms, so that output m·L lies on input m·M. A stretch is resampled from such
a pair on, with the reach of the filter on both sides; the result differs from that of the whole by the
rounding of float32. (For ratios that soxr cannot write as a table, L beyond some 2000, its own clock drifts
over a long run by 2^-33 samples per sample; stretches do not.)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
import soxr
from numpy.typing import NDArray

from .recording import Mask, Values

QUALITY = "HQ"
# The filter of HQ, in periods of the lower rate: it ends beyond 105; beyond 64 it is below 2e-4 of its peak.
_REACH = 128
_SMEAR = 64
# Exact for all whole rates up to 262 kHz; nearer than 1e-10 for others.
_LARGEST_TERM = 1 << 18
MOST = 256
"""Greatest factor between two rates."""


@dataclass(frozen=True)
class Resampler:
    """From one rate to another: L outputs for M inputs."""

    outputs: int
    inputs: int

    @classmethod
    def between(cls, source: float, target: float) -> Resampler:
        """Rates in Hz. Raises ValueError where they lie more than a factor 256 apart."""
        if not 1 / MOST <= target / source <= MOST:
            raise ValueError(f"rates of {source:g} and {target:g} Hz lie more than a factor {MOST} apart")
        ratio = (Fraction(target) / Fraction(source)).limit_denominator(_LARGEST_TERM)
        return cls(ratio.numerator, ratio.denominator)

    def length(self, frames: int) -> int:
        """Outputs for a whole recording of so many inputs: frames·L/M, halves up, as soxr has it."""
        return (2 * frames * self.outputs + self.inputs) // (2 * self.inputs)

    def span(self, frames: int) -> int:
        """A number of outputs for which no more than about `frames` inputs are needed, nor outputs made."""
        return max(1, frames * min(self.inputs, self.outputs) // self.inputs)

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """First input, and input after the last, for outputs start .. stop - 1; maybe beyond the end."""
        reach = ceil(_REACH * self._scale)
        first = start * self.inputs // self.outputs - reach
        return max(0, first // self.inputs * self.inputs), -(-stop * self.inputs // self.outputs) + reach

    def apply(self, values: Values, mask: Mask, start: int, stop: int) -> tuple[Values, Mask]:
        """Outputs start .. stop - 1 (n, C) of the inputs (m, C) that `source` tells, fewer at the end.

        Outputs that lie within 64 periods of an invalid input are invalid too, and 0.
        """
        begin, end = self.source(start, stop)
        # Beyond the recording there is silence, to soxr as here.
        missing = end - begin - len(values)
        filled = np.pad(values, ((0, missing), (0, 0))) if missing else values
        skip = start - begin // self.inputs * self.outputs
        out = soxr.resample(filled, self.inputs, self.outputs, quality=QUALITY)[skip : skip + stop - start]
        if mask.all():
            return out, np.ones(out.shape, np.bool_)
        valid = self._spread(mask, begin, start, stop)
        return np.where(valid, out, out.dtype.type(0)), valid

    def _spread(self, mask: Mask, begin: int, start: int, stop: int) -> Mask:
        at = np.arange(start, stop) * self.inputs / self.outputs - begin
        reach = _SMEAR * self._scale
        first = np.clip(np.ceil(at - reach), 0, len(mask)).astype(np.int64)
        last = np.clip(np.floor(at + reach) + 1, 0, len(mask)).astype(np.int64)
        before: NDArray[np.int64] = np.zeros((len(mask) + 1, mask.shape[1]), np.int64)
        np.cumsum(~mask, axis=0, out=before[1:])
        valid: Mask = before[first] == before[last]
        return valid

    @property
    def _scale(self) -> float:
        return max(1.0, self.inputs / self.outputs)
