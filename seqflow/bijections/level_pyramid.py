"""The levels of blocks as variables of their own, coarse to fine: loudness gets a density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.clock import clock as clock_waves
from ..ops.shapes import full_precision
from .base import Bijection, Context
from .coupling import bounded
from .gate import GateFunction

# Bounds on what the network adds to log sigma and to mu: what grows with every halving runs away where a
# level drawn goes beyond those seen.
_WIDEN = 0.7
_SHIFT = 1.0
# Least deviation of a level, nepers, and least temperature.
_LEAST = 1e-3


class LevelPyramid(Bijection):
    """y = x·exp(l' - l) on every block of a group of channels, l its log rms and l' a normal one.

    l' = m + s·g((l - mu)/sigma): m, s are mean and deviation of the log rms of as many standard normal
    samples, g a monotone piecewise gate. mu, sigma and g of the odd blocks follow from the levels of the even
    ones, those of the odd ones among these from the rest, and so on; the last block left has learned
    constants. So the levels of a long sequence hang together, and forward and inverse take one pass each a
    halving.

    log|det| = sum over blocks of n·(l' - l) + log dl'/dl,  n samples a block.

    Meant as the last layer: couplings make noise white, but what they leave in the level of a stretch, a base
    density of independent samples cannot hold, and samples drawn come out too even. In the inverse the
    context's `temperature` (B,) tells by what factor the noise was scaled: levels then go towards their
    median.

    (B, C, T) -> (B, C, T), any T; the last block may be short. Ill-conditioned where a block is all but zero.

    Args:
        channels: C.
        block: steps of a block; None for one block that spans the window.
        halvings: those with parameters of their own, as many as a training window
            has: see `halvings_of`. Where a longer sequence has more, the coarser ones take the last again.
        groups: numbers of neighbouring channels that share their levels, which add up to C, as those that a
            squeeze made of one; None for a level of its own for every channel.
        hidden: width of the network over the levels.
        knots: knots of the gates.
        strength: bound on the log-slopes of the gates.
        condition_size: K, width of the context's `condition` (B, K), zeros for an unknown one; 0 takes none.
        clock: harmonics that tell the place in the recording, see `ops.clock`.

    Raises ValueError where a size is not positive, or the groups do not add up.
    """

    def __init__(
        self,
        channels: int,
        block: int | None = None,
        *,
        halvings: int = 8,
        groups: Sequence[int] | None = None,
        hidden: int = 16,
        knots: int = 9,
        strength: float = 1.0,
        condition_size: int = 0,
        clock: int = 0,
    ) -> None:
        super().__init__()
        if min(channels, 1 if block is None else block, halvings, hidden) < 1:
            raise ValueError(f"sizes must be positive, got {channels}, {block}, {halvings}, {hidden}")
        sizes = [1] * channels if groups is None else list(groups)
        if min(sizes, default=0) < 1 or sum(sizes) != channels:
            raise ValueError(f"the groups {sizes} do not share out {channels} channels")
        self.channels = channels
        self.block = block
        self.groups = sizes
        self.clock = clock
        self.gate = GateFunction("piecewise", knots=knots, bound=3.0, strength=strength)
        count, self.count = len(sizes), 2 + self.gate.count
        self.top = nn.Parameter(torch.zeros(count, self.count))
        self.top_condition = (
            _zero(nn.Linear(condition_size, count * self.count, bias=False)) if condition_size else None
        )
        if block is None:
            return
        # For each halving: weights of the neighbours before and after, offset, log sigma.
        self.linear = nn.Parameter(torch.zeros(halvings, count, 2 * count + 2))
        self.enter = nn.Conv1d(count + 1 + 2 * clock, hidden, 5)
        self.mix = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.head = _zero(nn.Conv1d(hidden, count * self.count, 2))
        self.condition = _zero(nn.Linear(condition_size, hidden, bias=False)) if condition_size else None

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        y, share = self._run(x, context, inverse=False)
        return y, share.sum((1, 2))

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The levels back, coarse to fine."""
        x, share = self._run(z, context, inverse=True)
        return x, share.sum((1, 2))

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with the share of each step (B, T): its block's, evenly."""
        y, share = self._run(x, context, inverse=False)
        steps = self._steps(x.shape[-1], x)
        return y, self._spread(share.sum(1) / steps, x.shape[-1])

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Fit each halving's neighbours by least squares, and the constants, to windows x (B, C, T)."""
        self._fit_levels(x)
        return self.forward(x, context)[0]

    def _fit_levels(self, x: Tensor) -> None:
        levels, stage = self._levels(x).double(), 0
        # Levels that move less than those of noise are left to training: a start must not expand anything.
        least = _noise_levels(self._sizes(x.shape[-1], levels))[1].amax(1)
        while levels.shape[-1] > 1:
            kept, odd = levels[..., ::2], levels[..., 1::2]
            weight, deviation = _fit(_neighbours(kept, odd.shape[-1]), odd)
            if stage < len(self.linear):
                start = torch.cat((weight, torch.maximum(deviation, least).log().unsqueeze(1)), 1)
                self.linear[stage:] = start.to(self.linear)
            levels, stage = kept, stage + 1
        deviation = torch.maximum(levels.std((0, 2), correction=0), least)
        self.top[:, :2] = torch.stack((levels.mean((0, 2)), deviation.log()), 1).to(self.top)

    def _run(self, x: Tensor, context: Context | None, inverse: bool) -> tuple[Tensor, Tensor]:
        condition = None if context is None else context.get("condition")
        if condition is not None:
            if self.top_condition is None:
                raise ValueError("this pyramid takes no condition")
            condition = condition.to(x.dtype)
        temperature = None if context is None or not inverse else context.get("temperature")
        told = _Told(condition, None if context is None else context.get("span"), temperature)
        with full_precision(x.device.type):
            sizes = self._sizes(x.shape[-1], x)
            levels = self._levels(x)
            run = self._back if inverse else self._map
            moved, slope = run(levels, sizes, told)
            move = moved - levels
            gain = self._spread(move, x.shape[-1]).exp()
            y = x * gain.repeat_interleave(
                torch.tensor(self.groups, device=x.device), 1, output_size=x.shape[1]
            )
        return y, sizes * move + slope

    def _map(self, levels: Tensor, sizes: Tensor, told: _Told) -> tuple[Tensor, Tensor]:
        """Levels (B, G, L) to those of the noise, and the log-slopes."""
        mean, scale = _noise_levels(sizes)
        odds, found, stage = [], [], 0
        while levels.shape[-1] > 1:
            kept, odd = levels[..., ::2], levels[..., 1::2]
            odds.append(odd)
            found.append(self._odd(kept, stage, odd.shape[-1], told))
            levels, stage = kept, stage + 1
        found.append(self._top(levels, told))
        # Every gate is known: all of them in one pass.
        mu, log_sigma = (torch.cat([part[n] for part in found], -1) for n in (0, 1))
        raw = torch.cat([part[2] for part in found], 2)
        level = torch.cat((*odds, levels), -1)
        moved, log_slope = self.gate.forward((level - mu) * torch.exp(-log_sigma), raw)
        pair = torch.stack((moved, log_slope - log_sigma))
        *parts, top = torch.split(pair, [part.shape[-1] for part in (*odds, levels)], -1)
        for part in reversed(parts):
            top = _weave(top, part)
        return mean + scale * top[0], top[1] + scale.log()

    def _back(self, levels: Tensor, sizes: Tensor, told: _Told) -> tuple[Tensor, Tensor]:
        """Inverse of `_map`."""
        mean, scale = _noise_levels(sizes)
        if told.temperature is None:
            value = (levels - mean) / scale
        else:
            factor = told.temperature.to(levels).reshape(-1, 1, 1)
            value = (levels - factor.clamp(min=_LEAST).log() - mean) / scale * factor

        def place(value: Tensor, mu: Tensor, log_sigma: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
            level, slope = self.gate.inverse(value, raw)
            return mu + log_sigma.exp() * level, slope + log_sigma

        odds = []
        while value.shape[-1] > 1:
            odds.append(value[..., 1::2])
            value = value[..., ::2]
        level, slope = place(value, *self._top(value, told))
        for stage in reversed(range(len(odds))):
            odd = odds[stage]
            found, odd_slope = place(odd, *self._odd(level, stage, odd.shape[-1], told))
            level, slope = _weave(level, found), _weave(slope, odd_slope)
        return level, slope - scale.log()

    def _odd(self, kept: Tensor, stage: int, count: int, told: _Told) -> tuple[Tensor, Tensor, Tensor]:
        """mu, log sigma (B, G, count) and raw gates (B, G, count, K) of the blocks between the kept ones."""
        stage = min(stage, len(self.linear) - 1)
        weight = self.linear[stage].to(kept.dtype)
        mu = torch.einsum("cf,bfm->bcm", weight[:, :-1], _neighbours(kept, count))
        h = torch.cat((kept, torch.full_like(kept[:, :1], stage / len(self.linear))), 1)
        if self.clock:
            h = torch.cat((h, clock_waves(told.span, self.clock, kept)), 1)
        h = self.enter(F.pad(h, (2, 3), mode="replicate"))
        if told.condition is not None and self.condition is not None:
            h = h + self.condition(told.condition).unsqueeze(-1)
        h = F.silu(h)
        h = h + F.silu(self.mix(h))
        raw = self.head(h)[..., :count].unflatten(1, (len(self.groups), self.count))
        log_sigma = weight[:, -1:] + bounded(raw[:, :, 1], _WIDEN)
        return mu + bounded(raw[:, :, 0], _SHIFT), log_sigma, raw[:, :, 2:].movedim(2, -1)

    def _top(self, like: Tensor, told: _Told) -> tuple[Tensor, Tensor, Tensor]:
        top = self.top.to(like.dtype).expand(like.shape[0], -1, -1)
        if told.condition is not None and self.top_condition is not None:
            top = top + self.top_condition(told.condition).unflatten(1, (len(self.groups), self.count))
        return top[..., :1], top[..., 1:2], top[..., 2:].unsqueeze(2)

    def _levels(self, x: Tensor) -> Tensor:
        """Log rms of every block, (B, G, L)."""
        length, size = x.shape[-1], self._size(x.shape[-1])
        padded = F.pad(x.square(), (0, -length % size))
        power = torch.unflatten(padded, -1, (-1, size)).sum(-1)
        power = torch.stack([part.sum(1) for part in torch.split(power, self.groups, 1)], 1)
        return 0.5 * (power.clamp(min=torch.finfo(x.dtype).tiny) / self._sizes(length, x)).log()

    def _size(self, length: int) -> int:
        return length if self.block is None else self.block

    def _steps(self, length: int, like: Tensor) -> Tensor:
        """Steps of every block, (L,)."""
        size = self._size(length)
        steps = like.new_full((-(-length // size),), float(size))
        steps[-1] = length - size * (len(steps) - 1)
        return steps

    def _sizes(self, length: int, like: Tensor) -> Tensor:
        """Samples of every block of every group, (G, L)."""
        return like.new_tensor(self.groups).unsqueeze(1) * self._steps(length, like)

    def _spread(self, blocks: Tensor, length: int) -> Tensor:
        """A value for each block (..., L) to each of its steps (..., T)."""
        return blocks.repeat_interleave(self._size(length), -1)[..., :length]


def halvings_of(length: int, block: int) -> int:
    """How often the blocks of a sequence are halved until one is left."""
    return (-(-length // block) - 1).bit_length()


@dataclass(frozen=True)
class _Told:
    """What the context says."""

    condition: Tensor | None
    span: Tensor | None
    temperature: Tensor | None


def _noise_levels(sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the log rms of n standard normal samples."""
    half = 0.5 * sizes
    return 0.5 * (torch.digamma(half) - half.log()), 0.5 * torch.polygamma(1, half).sqrt()


def _neighbours(kept: Tensor, count: int) -> Tensor:
    """Kept blocks before and after each of `count` between them, and ones: (B, 2G + 1, count)."""
    after = torch.cat((kept[..., 1:], kept[..., -1:]), -1)[..., :count]
    return torch.cat((kept[..., :count], after, torch.ones_like(after[:, :1])), 1)


def _fit(features: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares (B, F, M) -> (B, G, M): weights (G, F) and deviations (G,) of what is left.

    Fewer than four examples a weight determine none: then the mean, which is the last feature's weight.
    """
    a, b = features.movedim(1, -1).flatten(0, 1), target.movedim(1, -1).flatten(0, 1)
    used = (
        a if len(a) >= 4 * a.shape[1] else a * (torch.arange(a.shape[1], device=a.device) == a.shape[1] - 1)
    )
    # A little ridge: levels that never move determine no weight.
    gram = used.T @ used + 1e-6 * len(a) * torch.eye(a.shape[1], dtype=a.dtype, device=a.device)
    weight = torch.linalg.solve(gram, used.T @ b)
    return weight.T, (b - used @ weight).square().mean(0).sqrt()


def _zero(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _weave(even: Tensor, odd: Tensor) -> Tensor:
    """Every other block from each of the two, even ones first."""
    count = odd.shape[-1]
    pairs = torch.stack((even[..., :count], odd), -1).flatten(-2)
    return torch.cat((pairs, even[..., count:]), -1)
