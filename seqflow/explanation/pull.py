"""The noise of a window pulled back to where that of normal windows lies.

Shapes: z (B, C', T').
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ..scoring.latent import (
    Latent,
    autocorrelation,
    band_edges,
    band_energies,
    extremes_in_time,
    moments,
)
from .material import Material

_PARTS = 8
_TURNS = 3
_DRAWS = 256
_TINY = 1e-30


class Typical(NamedTuple):
    """Where normal noise lies, as logarithms but for the peak.

    Attributes:
        quiet, loud: mean energies of the quietest and of the loudest eighth of a window.
        low, high: (bands,) mean energies of the octaves, a deviation below and above their medians.
        peak: largest |z| of a window.
    """

    quiet: Tensor
    loud: Tensor
    low: Tensor
    high: Tensor
    peak: Tensor

    @classmethod
    def of(cls, material: Material) -> Typical:
        """As the term `latent` knows it from normal recordings; without that term, as the model draws it."""
        like = next(material.flow.parameters())
        _, steps = material.flow.latent_shape(material.window)
        draws = torch.Generator().manual_seed(0)
        z = material.flow.base.sample(_DRAWS, steps, generator=draws).to(like)
        known = material.calibration.statistics.get(Latent.name)
        if known is None:
            parts = torch.cat([moments(z), autocorrelation(z), band_energies(z), extremes_in_time(z)], dim=-1)
            location, scale = parts.median(dim=0).values, parts.std(dim=0)
        else:
            location, scale = (torch.as_tensor(known[key]).to(like) for key in ("location", "scale"))
        # In the order of `Latent.extract`.
        first = 3 + autocorrelation(z[:1]).shape[-1]
        last = first + band_energies(z[:1]).shape[-1]
        middle, reach = location[first:last], scale[first:last]
        return cls(location[last], location[last + 1], middle - reach, middle + reach, location[1].exp())

    def pull(self, z: Tensor) -> Tensor:
        """z with the energy of each part and octave moved to the near end of its range, and peaks cut.

        What lies within stays as it is, but for what the others move.
        """
        steps = z.shape[-1]
        parts = [steps * k // min(_PARTS, steps) for k in range(min(_PARTS, steps) + 1)]
        bands = band_edges(steps // 2 + 1)
        for _ in range(_TURNS):
            z = z * _gain(z.square().mean(dim=1), parts, self.quiet, self.loud)
            spectrum = torch.fft.rfft(z, norm="ortho")
            power = (spectrum.real.square() + spectrum.imag.square()).mean(dim=1)
            z = torch.fft.irfft(spectrum * _gain(power, bands, self.low, self.high), n=steps, norm="ortho")
            z = z.clamp(-self.peak, self.peak)
        return z


def _gain(power: Tensor, edges: list[int], low: Tensor, high: Tensor) -> Tensor:
    """(B, 1, n) factors on amplitudes that bring the mean power (B, n) between edges into its range."""
    energy = torch.log(torch.stack([power[:, a:b].mean(-1) for a, b in pairwise(edges)], -1) + _TINY)
    gain = (0.5 * (torch.minimum(torch.maximum(energy, low), high) - energy)).exp()
    sizes = torch.tensor([b - a for a, b in pairwise(edges)], device=power.device)
    return gain.repeat_interleave(sizes, dim=-1).unsqueeze(1)
