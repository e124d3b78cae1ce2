"""Which frequencies are unusual at which time.

Shapes: values (C, T); windows (B, C, W); F bins, N frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from ..scoring.latent import band_edges
from ..scoring.passes import sloped_pass
from .material import Floats, Material

_BATCH = 32
_LONGEST = 256
# Neighbouring bins of a Hann window are correlated: that many count as one.
_BINS = 1.5


class SurpriseMap(NamedTuple):
    """Deviations of octaves from what the model expects, by time.

    Attributes:
        values: (bands, N); about 0 with a spread of about 1 where a recording is normal.
        edges: (bands + 1,) of the octaves, as fractions of the rate.
        hop: samples from frame to frame; frame n stands around sample n·hop.
    """

    values: Floats
    edges: Floats
    hop: int


def slope(material: Material) -> Floats:
    """(C, T) gradient of -log p in the samples, averaged over windows that overlap by half."""
    size = material.window
    total, count = np.zeros_like(material.values), np.zeros(material.length)
    starts = material.starts(0, material.length, max(1, size // 2))
    for k in range(0, len(starts), _BATCH):
        part = starts[k : k + _BATCH]
        x = material.tensor(np.stack([material.values[:, s : s + size] for s in part])).requires_grad_(True)
        with torch.enable_grad():
            nll = -sloped_pass(material.flow, x, material.context(part, size)).share.sum()
        (found,) = torch.autograd.grad(nll, x)
        for start, one in zip(part, torch.nan_to_num(found).cpu().numpy(), strict=True):
            total[:, start : start + size] += one
            count[start : start + size] += 1.0
    return total / np.maximum(count, 1.0)


def surprise_map(material: Material) -> SurpriseMap:
    """Surprise in octaves over time.

    With X and G the short-time spectra of the recording about its medians and of the gradient g of -log p,
    scaled so that white noise of variance 1 has E|X|² = 1, Re(X* G) has mean 1 in every cell under the model,
    whatever the model is: E[x·g] = 1 by Stein's identity, for the part of x along any unit vector, since the
    density vanishes far out. For a Gaussian model it is the power of the whitened recording. A value is the
    mean over channels and bins of an octave, less 1, over the deviation sqrt(1.5/n) that n such values would
    have on Gaussian noise.

    Where couplings bend strongly, as far from all normal recordings, cells may be negative.
    """
    size = 2 ** int(np.log2(min(_LONGEST, max(8, material.window // 2))))
    hop = size // 4
    x = material.values - np.median(material.values, axis=1, keepdims=True)
    window = torch.hann_window(size, dtype=torch.float64)
    spectra = [
        torch.stft(
            torch.from_numpy(values),
            size,
            hop_length=hop,
            window=window,
            pad_mode="reflect",
            return_complex=True,
        )
        for values in (x, slope(material))
    ]
    cells = (spectra[0].conj() * spectra[1]).real / window.square().sum()
    edges = np.array(band_edges(size // 2 + 1))
    found = []
    for low, high in pairwise(edges):
        count = len(x) * (high - low)
        found.append((cells[:, low:high].mean(dim=(0, 1)) - 1.0) * (count / _BINS) ** 0.5)
    bounds = np.minimum(edges / size, 0.5)
    return SurpriseMap(torch.stack(found).numpy(), bounds, hop)
