"""All distances between two sets of sequences, measured alike.

Shapes: sequences (N, C, T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .filter_bank import FilterBank, mel_bank, third_octave_bank
from .frechet import frechet_distance, spectral_statistics
from .loudness import amplitude_wasserstein, kurtosis, relative_wasserstein, rms, share_beyond
from .modulation import modulation_distance, modulation_levels
from .octaves import band_edges, band_levels, octave_bands
from .spectrum import level_difference, spectral_distance, spectral_spread_distance

Array = NDArray[np.floating[Any]]


class Measure(NamedTuple):
    """A figure by its key: what it is for people, its unit, and the most that is good enough, where known."""

    name: str
    unit: str
    goal: float | None = None


MEASURES = {
    "band_level": Measure("mean level, the octave band that is farthest off", "dB", 1.5),
    "spectrum": Measure("log spectra of the means, root mean square over filters", "dB"),
    "spectrum_spread": Measure("distributions of log spectra, Wasserstein", "dB"),
    "loudness": Measure("RMS of sequences, Wasserstein over the mean RMS", "%", 10.0),
    "amplitude": Measure("samples, Wasserstein over their deviation", "%"),
    "kurtosis": Measure("excess kurtosis of samples, difference", ""),
    "beyond": Measure("sequences that leave the range", "%"),
    "modulation": Measure("modulation of the envelopes, root mean square over bands", "dB"),
    "frechet_spectrum": Measure("Fréchet distance of log spectra, mean and deviation", "dB²"),
}


@dataclass(frozen=True)
class Ruler:
    """What sequences of one length and kind are measured by.

    Attributes:
        length: T, samples.
        rate: Hz; 1 where there is none, and frequencies are cycles a sample.
        bands: see `octave_bands`.
        bank: mel filters for sound, thirds of an octave for anything else.
        noise: (C) variance of the quantisation, units².
        low, high: (C) the range that sequences should not leave.
    """

    length: int
    rate: float
    bands: NDArray[np.int64]
    bank: FilterBank
    noise: Array
    low: Array
    high: Array

    @classmethod
    def make(
        cls, length: int, rate: float | None, *, sound: bool, noise: Array, low: Array, high: Array
    ) -> Ruler:
        """For sequences of `length` samples. Raises ValueError for fewer than 16."""
        bank = mel_bank(rate, length) if sound and rate else third_octave_bank(length)
        return cls(length, rate or 1.0, octave_bands(length), bank, noise, low, high)

    @property
    def edges(self) -> Array:
        """The octave bands in Hz, (K, 2)."""
        return band_edges(self.bands, self.length, self.rate)


@dataclass(frozen=True)
class Description:
    """A set of sequences in features: see `describe`.

    Attributes:
        x: (N, C, T) themselves.
        levels: (N, K) of octave bands, dB.
        spectra: (N, M, F) log spectrograms, dB.
        rms: (N,) units.
        modulation: (N, K, J) dB.
    """

    x: Array
    levels: Array
    spectra: Array
    rms: Array
    modulation: Array


def describe(x: Array, ruler: Ruler) -> Description:
    """The features of sequences that all distances are made of."""
    return Description(
        x,
        band_levels(x, ruler.bands, ruler.noise),
        ruler.bank.levels(x, ruler.noise),
        rms(x),
        modulation_levels(x, ruler.bands, ruler.noise),
    )


def compare(one: Description, reference: Description, ruler: Ruler) -> dict[str, float]:
    """Each of `MEASURES` between two sets; 0 for equal ones, but for `beyond`, which is the first one's."""
    return {
        "band_level": float(np.abs(level_difference(one.levels, reference.levels)).max()),
        "spectrum": spectral_distance(one.spectra, reference.spectra),
        "spectrum_spread": spectral_spread_distance(one.spectra, reference.spectra),
        "loudness": 100.0 * relative_wasserstein(one.rms, reference.rms),
        "amplitude": 100.0 * amplitude_wasserstein(one.x, reference.x),
        "kurtosis": abs(kurtosis(one.x) - kurtosis(reference.x)),
        "beyond": 100.0 * share_beyond(one.x, ruler.low, ruler.high),
        "modulation": modulation_distance(one.modulation, reference.modulation),
        "frechet_spectrum": frechet_distance(
            spectral_statistics(one.spectra), spectral_statistics(reference.spectra)
        ),
    }
