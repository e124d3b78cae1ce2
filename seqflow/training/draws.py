"""Windows drawn while training: their loudness and spectra are made those of the data.

A likelihood counts every sample alike and hardly notices how loud a window is, one number of a thousand;
samples drawn show it at once. So the last part of a training adds to the loss the energy distance between
windows drawn and windows of the data, in their levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.batch import Batch
from ..data.dataset import Windows
from ..errors import UsageError
from ..flow import Flow
from ..quality.octaves import octave_bands
from ..recipe import DrawsConfig
from ..sampling import seeded

MOST_KNOWN = 4096
_MOST_SAMPLES = 1 << 24
_BATCH = 64
# What the loudness of a window counts, and what a condition does beside the level of a band: in nepers.
_LOUDNESS, _CONDITION = 3.0, 2.0
# Power of a level that none falls below, relative to that of the data.
_FLOOR = 1e-10
_SHORTEST = 16
# Beside the streams of `sampling.draw`, whose last word is a number of attempts.
_STREAM = 1 << 32


class Levels:
    """(B, C, T) -> (B, C·K), (B, C): levels of windows in octave bands, and of the whole, in nepers.

    Half the logarithm of P, the power in the band under a Hann window (`quality.octaves.band_levels`), and of
    the mean square. No level is below that of noise of variance `noise` (C,).
    """

    def __init__(self, length: int, noise: Tensor) -> None:
        bands = octave_bands(length)
        bins = torch.arange(length // 2 + 1)
        self.bands = torch.stack([((bins >= low) & (bins < high)).to(noise) for low, high in bands.tolist()])
        taper = torch.hann_window(length, dtype=torch.float64)
        self.scale = 2.0 / (length * float(taper.square().sum()))
        self.taper = taper.to(noise)
        self.noise = noise
        self.floor = noise[:, None] * self.bands.sum(1) * (2.0 / length)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Levels of windows x (B, C, T)."""
        centred = x - x.mean(-1, keepdim=True)
        power = torch.fft.rfft(centred * self.taper).abs().square() * self.scale
        bands = 0.5 * torch.log(power @ self.bands.T + self.floor)
        return bands.flatten(1), 0.5 * torch.log(x.square().mean(-1) + self.noise)


def energy_distance(drawn: Tensor, known: Tensor, within: float) -> Tensor:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of points (n, F) and (m, F): 0 only for equal distributions.

    Without bias in the drawn points, whose distances to themselves are left out; `within` is E|Y - Y'|.
    Source: Székely and Rizzo, 2013.
    """
    return 2.0 * _distances(drawn, known).mean() - mean_distance(drawn) - within


def mean_distance(points: Tensor) -> Tensor:
    """E|Y - Y'| of points (m, F), those of one to itself left out: ()."""
    return _distances(points, points).sum() / (len(points) * (len(points) - 1))


class Points(NamedTuple):
    """What windows are compared by, each of the two by itself.

    Attributes:
        spectra: (m, F) levels of bands, and conditions: a window is to sound like those of its condition.
        loudness: (m, C), which beside all the bands would count for little.
    """

    spectra: Tensor
    loudness: Tensor

    @classmethod
    def of(cls, levels: Levels, x: Tensor, told: Batch) -> Points:
        """Those of windows x (B, C, T), made for what `told` says of them."""
        bands, loudness = levels(x)
        spectra = bands if told.condition is None else torch.cat((bands, _CONDITION * told.condition), 1)
        return cls(spectra, _LOUDNESS * loudness)


class Draws(NamedTuple):
    """Windows drawn: those that stay within the limit, and by how much all of them leave it.

    Attributes:
        spectra, loudness: see `Points`.
        excess: (n,) log of the largest value over the limit, nepers; 0 for a window that stays.
    """

    spectra: Tensor
    loudness: Tensor
    excess: Tensor


@dataclass(frozen=True)
class Known:
    """Windows of the data to draw beside: what a flow is told of each, their points, and E|Y - Y'|."""

    told: Batch
    levels: Levels
    points: Points
    within: tuple[float, ...]
    limit: float | None

    def distance(self, drawn: Draws) -> Tensor:
        """The energy distances of spectra and of loudness, and the mean excess, added up: ()."""
        pairs = zip(drawn[:2], self.points, self.within, strict=True)
        return drawn.excess.mean() + sum(energy_distance(*pair) for pair in pairs)


def look_at(windows: Windows, config: DrawsConfig, device: torch.device, limit: float | None = None) -> Known:
    """Levels of up to `MOST_KNOWN` windows, evenly spread over the training data, without gaps.

    Draws that leave ±limit are not compared, as `sampling.draw` throws them away, but pulled in. Raises
    UsageError where there are fewer than windows to draw, or they are too short for a spectrum.
    """
    if windows.window < _SHORTEST:
        raise UsageError(
            f"train.draws: windows of {windows.window} samples have no spectrum to compare; set data.window "
            f"to {_SHORTEST} or more, or leave train.draws out"
        )
    most = max(config.windows, min(MOST_KNOWN, _MOST_SAMPLES // (windows.channels * windows.window)))
    batches = [batch[batch.mask.all(dim=1)] for batch in windows.in_order(_BATCH, most)]
    whole = Batch.join(batches)
    if len(whole) < config.windows:
        raise UsageError(
            f"train.draws.windows: {len(whole)} windows of the training data are whole, fewer than the "
            f"{config.windows} to draw beside them; lower it, or leave train.draws out"
        )
    power = whole.x.double().square().mean((0, 2))
    noise = (whole.step.double().square().mean() / 12.0).clamp(min=_FLOOR * float(power.max()))
    noise = torch.maximum(noise, _FLOOR * power).float().to(device)
    levels = Levels(windows.window, noise)
    parts = [Points.of(levels, part.x, part) for part in whole.to(device).split(_BATCH)]
    points = Points(*map(torch.cat, zip(*parts, strict=True)))
    within = tuple(float(mean_distance(one)) for one in points)
    told = Batch(**{key: value for key, value in whole.tensors().items() if key != "x"}, x=whole.x[:, :, :0])
    return Known(told.to(device), levels, points, within, limit)


def gradients_of_draws(
    flow: Flow, known: Known, config: DrawsConfig, step: int, seed: int, size: int
) -> tuple[float, list[Tensor | None]]:
    """The energy distance of windows drawn in a step, and what it adds to the gradients of the parameters.

    The loss is `weight` nats a window for each unit of distance, so weight/(C·T) of what a sample has. The
    draws depend on seed and step alone, the noise and the windows whose conditions and places they are drawn
    for. They are made in parts of `size`: where there are several, first all, for the distance, and each
    again, for its gradients.
    """
    parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    generator = seeded(seed, step, _STREAM)
    chosen = torch.randperm(len(known.told), generator=generator)[: config.windows]
    told = known.told[chosen.to(known.points.loudness.device)]
    length = known.levels.taper.shape[0]
    channels, steps = flow.latent_shape(length)
    with torch.no_grad():
        noise = flow.base.sample(config.windows, steps, generator=generator).to(known.points.loudness)
    assert noise.shape[1] == channels

    def draws(at: int) -> Draws:
        part = told[at : at + size]
        context = part.context() | {"step": torch.zeros_like(part.step)}
        x = flow.from_noise(noise[at : at + size], context)[0]
        found = Points.of(known.levels, x, part)
        if known.limit is None:
            return Draws(*found, x.new_zeros(len(x)))
        excess = F.relu(torch.log(x.abs().amax((1, 2)) / known.limit))
        kept = excess.detach() == 0
        return Draws(found.spectra[kept], found.loudness[kept], excess)

    unit = config.weight / (flow.channels * length)
    starts = range(0, config.windows, size)
    if len(starts) == 1:
        distance = known.distance(draws(0))
        return float(distance.detach()), _gradients([unit * distance], parameters)
    with torch.no_grad():
        parts = [draws(at) for at in starts]
    leaves = [torch.cat(tensors).requires_grad_() for tensors in zip(*parts, strict=True)]
    distance = known.distance(Draws(*leaves))
    pulls = torch.autograd.grad(unit * distance, leaves)
    split = [torch.split(pull, [len(part[k]) for part in parts]) for k, pull in enumerate(pulls)]
    total: list[Tensor | None] = [None] * len(parameters)
    for at, pull in zip(starts, zip(*split, strict=True), strict=True):
        part = _gradients(list(draws(at)), parameters, list(pull))
        total = [_plus(a, b) for a, b in zip(total, part, strict=True)]
    return float(distance.detach()), total


def add(flow: Flow, gradients: Sequence[Tensor | None]) -> bool:
    """Add gradients to those of the parameters; False, and nothing is added, where one is not finite."""
    given = [one for one in gradients if one is not None]
    if not all(bool(torch.isfinite(one).all()) for one in given):
        return False
    parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = _plus(parameter.grad, gradient)
    return True


def due(config: DrawsConfig | None, step: int, steps: int) -> bool:
    """Whether windows are drawn in this step, counted from 0."""
    return config is not None and step >= begin(config, steps) and (step + 1) % config.every == 0


def begin(config: DrawsConfig, steps: int) -> int:
    """The first step of the last part of a training."""
    return math.ceil((1.0 - config.share) * steps)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # By products of matrices the distance of near points would be rounding, and so would its gradient.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _gradients(
    outputs: list[Tensor], parameters: list[torch.nn.Parameter], grads: list[Tensor] | None = None
) -> list[Tensor | None]:
    # Without a limit nothing pulls a window in.
    used = [index for index, one in enumerate(outputs) if one.requires_grad]
    chosen = None if grads is None else [grads[index] for index in used]
    found = torch.autograd.grad([outputs[index] for index in used], parameters, chosen, allow_unused=True)
    return list(found)


def _plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b
