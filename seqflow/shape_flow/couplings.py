"""A flow over the shapes of windows: the mixture of a WindowModel, and convolutional couplings before it.

Shapes: a channel x (T,), standardised; windows (N, L).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bijections import Bijection, Chain, ConvCoupling, Radial, Squeeze, Standardize, coupling_sizes
from ..distributions import WindowMixture
from ..flow import Flow
from ..mixture import Mixture
from ..networks.conv_net import ConvConditioner
from ..shapes import WindowModel
from ..shapes.window_model import covering_mean

Array = NDArray[np.floating[Any]]

_LEARNING_RATE = 3e-3
_WARMUP = 20
_AVERAGE = 0.98
_CLIP = 50.0
_BATCH = 64
# Samples that go through the flow at once when windows are scored, and windows to a length.
_CHUNK = 1 << 17
_PER_LENGTH = 16


class Couplings:
    """A flow of the shapes of one channel's windows that starts as the mixture `start`.

    A shape is the window without its level, its amplitude softened as by `start`. The flow (scale, squeeze,
    couplings, and the mixture, which stays) is an exact density of shapes with noise of a fixed deviation for
    a level; that is how it is trained and compared. Windows are scored with the level 0: their surprise is
    that of the shape but for a constant. Neither has the log-determinant of the softening: these are
    likelihoods of the transformed window, and gains are the same for the window itself.

    Args:
        start: of an even length.
        couplings: how many.
        seed: of the weights, of the order of windows and of the noise.
    """

    def __init__(self, start: WindowModel, couplings: int = 4, seed: int = 0) -> None:
        self.start = start
        self.length = start.length
        self._random = np.random.default_rng([seed, start.length])
        variances, means = start.mixture.variances, start.mixture.means
        around = means - start.mixture.weights @ means
        power = variances.mean() + (start.mixture.weights @ np.square(around)).mean()
        # What radial gives is the coefficients of the shape times floor^softening; the scale makes them unit.
        gain = 1.0 / max(float(np.sqrt(power)), 1e-12)
        unit = start.shape.floor**start.shape.softening / gain
        scaled = Mixture(start.mixture.weights, means * gain, variances * gain**2)
        spread = float(np.sqrt(scaled.variances.mean()))
        self._level = spread * unit / np.sqrt(self.length)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[Bijection] = [
                Standardize(1),
                Squeeze(2),
                *(_coupling(index % 2 == 1, self.length) for index in range(couplings)),
            ]
        layers[0].scale.fill_(unit)  # type: ignore[operator]
        self._soften = Radial(1, start.shape.softening, start.shape.floor, trainable=False)
        base = WindowMixture(2, self.length, len(means), factor=2).requires_grad_(False)
        base.set_mixture(scaled, torch.zeros(1, 1), torch.full((1, 1), spread))
        self.flow = Flow(Chain(layers), base, 1)
        self._zero = copy.deepcopy(self.flow)

    def train(
        self,
        windows: Array,
        steps: int,
        check: Callable[[int], bool] | None = None,
        every: int = 25,
    ) -> int:
        """Maximum likelihood of the couplings on windows (N, L) drawn at random; how many steps were taken.

        The weights are running means over the steps afterwards, and already when `check` is called with the
        number of steps, every so often: true goes on.
        """
        trained = [parameter for parameter in self.flow.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=_LEARNING_RATE)
        average = [parameter.detach().clone() for parameter in trained]
        step = 0
        for step in range(1, steps + 1):
            optimizer.param_groups[0]["lr"] = _LEARNING_RATE * min(1.0, step / _WARMUP)
            x = self._noisy(windows[self._random.integers(0, len(windows), _BATCH)], self._random)
            optimizer.zero_grad()
            loss = -self.flow.log_prob(x).mean() / self.length
            loss.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(trained, _CLIP)
            if bool(torch.isfinite(norm)):
                optimizer.step()
            # A mean of few steps at the beginning: the start counts no more than any other.
            keep = min(_AVERAGE, step / (step + 1.0))
            for mean, parameter in zip(average, trained, strict=True):
                mean.lerp_(parameter.detach(), 1.0 - keep)
            if check is not None and step % every == 0:
                current = [parameter.detach().clone() for parameter in trained]
                _load(trained, average)
                goes_on = check(step)
                _load(trained, current)
                if not goes_on:
                    break
        _load(trained, average)
        return step

    @torch.no_grad()
    def gains(self, windows: Array) -> NDArray[np.float64]:
        """How much more likely windows (N, L) are than without couplings, nats per sample (N,)."""
        x = self._noisy(windows, np.random.default_rng(self.length))
        parts = []
        for part in torch.split(x, max(1, _CHUNK // self.length)):
            parts.append((self.flow.log_prob(part) - self._zero.log_prob(part)) / self.length)
        return np.asarray(torch.cat(parts).double().numpy())

    @torch.no_grad()
    def track(self, x: Array) -> NDArray[np.float64]:
        """Mean surprise of all windows that cover a sample, nats up to a constant: (T,).

        Every so many windows are looked at, sixteen to a length; between them a line.
        """
        windows = np.lib.stride_tricks.sliding_window_view(x, self.length)
        hop = max(1, self.length // _PER_LENGTH)
        starts = np.unique(np.append(np.arange(0, len(windows), hop), len(windows) - 1))
        size = max(1, _CHUNK // self.length)
        parts = []
        for at in range(0, len(starts), size):
            shapes = self._shapes(windows[starts[at : at + size]])
            parts.append(-self.flow.log_prob(shapes.float()).double().numpy())
        surprise = np.nan_to_num(np.concatenate(parts), nan=_LARGEST, posinf=_LARGEST)
        surprise = np.interp(np.arange(len(windows)), starts, np.minimum(surprise, _LARGEST))
        return covering_mean(surprise, self.length)

    def _noisy(self, windows: Array, random: np.random.Generator) -> Tensor:
        """Shapes with noise for a level, (N, 1, L)."""
        level = self._level * random.standard_normal((len(windows), 1, 1))
        return (self._shapes(windows) + torch.from_numpy(level)).float()

    @torch.no_grad()
    def _shapes(self, windows: Array) -> Tensor:
        """(N, 1, L) in float64."""
        x = np.asarray(windows, np.float64)
        softened, _ = self._soften(torch.from_numpy(x - x.mean(1, keepdims=True)).unsqueeze(1))
        shapes: Tensor = softened
        return shapes


# What overflows is as unlikely as anything can be.
_LARGEST = 1e9


def _coupling(swap: bool, length: int) -> ConvCoupling:
    taps = min(8, length // 2)
    untouched, _ = coupling_sizes(2, swap)
    counts = ConvCoupling.parameter_counts(2, swap=swap, taps=taps, boundary="symmetric")
    network = ConvConditioner(
        untouched, *counts, hidden=16, layers=2, kernel=5, skip_kernel=9, level_scales=(1, 9), gated=False
    )
    return ConvCoupling(2, network, swap=swap, taps=taps, boundary="symmetric", max_log_scale=1.0)


def _load(parameters: list[torch.nn.Parameter], values: list[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
