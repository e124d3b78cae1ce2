"""Gaps filled by draws from the density of the gap given what surrounds it.

Shapes: a window is (C, T), T a multiple of the flow's divisor; a gap has G samples in every channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import UsageError
from ..flow import Flow
from ..sampling import seeded
from .gaussian import Gaussian, interpolate, refine
from .hamiltonian import Walk, walk
from .posterior import Posterior

STEPS = 100
"""Trajectories of the sampler where no number is given."""
LEAPS = 16
"""Most leapfrog steps of a trajectory."""
ORDER = 32
"""Most taps of the linear prediction that the sampler starts from."""
MOST_UNKNOWN = 4096
"""Most samples that one run may fill, over all channels: the covariance is a matrix of that size."""

_DITHER, _CHAIN = 0, 1
# Fractions of the trajectories that find coordinates, and then the step size in them; both are forgotten.
_ROUGH, _WARM = 0.3, 0.2


@dataclass(frozen=True)
class Inpainted:
    """Draws of a gap, and how far the sampler came.

    Attributes:
        draws: (n, C, G) values of the gap, in the dtype of x.
        interpolation: (C, G) least-squares autoregressive interpolation, for comparison.
        started: (n,) potentials at the start: -log p of the window, nats.
        potential: (n,) those of the draws. Where they lie far from `started`, more steps may be needed.
        acceptance: (n,) fraction of proposals accepted behind the warm-up; about 0.8 where all is well.
    """

    draws: NDArray[np.floating]
    interpolation: NDArray[np.float64]
    started: tuple[float, ...]
    potential: tuple[float, ...]
    acceptance: tuple[float, ...]


def inpaint(
    flow: Flow,
    x: NDArray[np.floating],
    start: int,
    stop: int,
    *,
    n: int = 4,
    step: float | None = None,
    span: tuple[float, float] = (0.0, 0.0),
    condition: Mapping[str, str] | None = None,
    seed: int = 0,
    steps: int = STEPS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Inpainted:
    """Draw the samples [start, stop) of the window x (C, T) n times from p(gap | rest) of the flow.

    The joint density is exact, so that its gradient in the gap is that of the posterior. Hamiltonian Monte
    Carlo with a Metropolis correction runs n chains, each from a draw of the Gaussian that linear prediction
    makes of the surroundings (`gaussian.interpolate`), in the coordinates of that Gaussian. Draw i depends on
    (seed, i) and the arguments, not on n. What x holds in the gap has no influence.

    Args:
        flow: in evaluation mode.
        x: the gap with its surroundings, see `context_window`.
        n: number of draws.
        step: quantisation step in the units of x; the known samples get uniform noise of one step, as the
            flow was trained, and the draws are rounded down to multiples. None or 0: continuous values.
        span: where the window begins and ends in its recording, as fractions; equal: not told.
        condition: values of the flow's classes; those not given are unknown.
        seed: of the noise.
        steps: trajectories, of up to 16 gradients and four moves of levels each; the first half sets
            coordinates and step size.

    Raises UsageError where the arguments are out of range, or the flow gives no finite density near the gap.
    """
    channels, length = _check(flow, x, start, stop, n, seed, steps)
    flow.classes.check(condition or {})
    device = next(flow.parameters()).device
    size = step or 0.0
    known = torch.from_numpy(np.array(x, dtype=np.float64))
    known[:, start:stop] = 0.0
    noise = [_uniform((channels, length), seed, index) for index in range(n)]
    windows = (known + size * torch.stack(noise)).to(device)
    unknown = torch.zeros((channels, length), dtype=torch.bool, device=device)
    unknown[:, start:stop] = True
    context: dict[str, Tensor] = {
        "position": torch.zeros(n, dtype=torch.int64, device=device),
        "span": torch.tensor([span], dtype=torch.float64, device=device).expand(n, -1),
    }
    if condition:
        context["condition"] = torch.from_numpy(flow.classes.vector(condition)).to(device).expand(n, -1)
    generators = [seeded(seed, index, _CHAIN) for index in range(n)]
    found = fill(flow, windows, unknown, context, generators, steps=steps, on_step=on_progress)
    values = found.values.cpu().reshape(n, channels, stop - start).numpy()
    middle = interpolate(known[None], unknown.cpu(), ORDER).mean.reshape(channels, -1).numpy()
    if size:
        values = np.floor(values / size) * size
    return Inpainted(
        draws=values.astype(x.dtype),
        interpolation=middle,
        started=tuple(found.started.tolist()),
        potential=tuple(found.potential.tolist()),
        acceptance=tuple(found.acceptance.tolist()),
    )


@dataclass(frozen=True)
class Filled:
    """Values (n, M) of the unknown samples, channel by channel; potentials and acceptance (n,)."""

    values: Tensor
    started: Tensor
    potential: Tensor
    acceptance: Tensor


def fill(
    flow: Flow,
    windows: Tensor,
    unknown: Tensor,
    context: Mapping[str, Tensor],
    generators: list[torch.Generator],
    *,
    steps: int,
    on_step: Callable[[int, int], None] | None = None,
) -> Filled:
    """Draw the unknown samples (C, T) of each of n windows (n, C, T) given its others.

    Values are continuous: quantised ones have their noise. Raises UsageError where the density is not finite
    even at the interpolation.
    """
    target = Posterior(flow, windows, unknown, context)
    guess = interpolate(windows, unknown, ORDER)
    shape = guess.mean.shape[1]
    start = torch.stack([torch.randn(shape, generator=g, dtype=torch.float64) for g in generators])
    start = start.to(windows.device)
    # A draw may lie where the flow's numbers end; the middle of the Gaussian is a safer place.
    lost = ~torch.isfinite(target.potential(guess.place(start)))
    start = torch.where(lost.unsqueeze(1), torch.zeros_like(start), start)
    if not bool(torch.isfinite(target.potential(guess.place(start))).all()):
        raise UsageError("inpaint: the model gives what surrounds the gap no finite density")
    first = int(_ROUGH * steps)
    rough, gradients = _walk(target, guess, start, generators, first, first, on_step, 0, steps)
    started = rough.start
    if len(gradients) > 1:
        values = guess.place(rough.state)
        guess = refine(guess, torch.stack(gradients[len(gradients) // 2 :]))
        rough = rough._replace(state=guess.find(values))
    last = steps - first
    found, _ = _walk(target, guess, rough.state, generators, last, int(_WARM * steps), on_step, first, steps)
    return Filled(guess.place(found.state), started, found.potential, found.acceptance)


def _walk(
    target: Posterior,
    guess: Gaussian,
    start: Tensor,
    generators: list[torch.Generator],
    steps: int,
    warm: int,
    on_step: Callable[[int, int], None] | None,
    done: int,
    total: int,
) -> tuple[Walk, list[Tensor]]:
    """`walk` in the coordinates of a Gaussian; the gradients in the samples come back with it."""
    gradients: list[Tensor] = []

    def force(u: Tensor) -> Tensor:
        gradients.append(target.gradient(guess.place(u)))
        return guess.pull(gradients[-1])

    found = walk(
        lambda u: target.potential(guess.place(u)),
        force,
        start,
        generators,
        steps=steps,
        warm=warm,
        leaps=LEAPS,
        on_step=None if on_step is None else lambda turn, _: on_step(done + turn, total),
    )
    return found, gradients


def context_window(length: int, start: int, stop: int, *, window: int, divisor: int) -> tuple[int, int]:
    """What of a recording of `length` samples the gap [start, stop) is filled from: begin and end.

    As long as the window that the flow was trained on, or the gap and half a window where that is longer; a
    multiple of the divisor; the gap in its middle as far as the recording reaches. Raises UsageError for a
    gap that does not lie in the recording, or leaves nothing of it.
    """
    if not 0 <= start < stop <= length:
        raise UsageError(f"inpaint: samples {start} to {stop} are no stretch of a recording of {length}")
    wanted = max(window, stop - start + max(window // 2, divisor))
    size = min(-(-wanted // divisor), length // divisor) * divisor
    if size < stop - start + divisor:
        raise UsageError(
            f"inpaint: samples {start} to {stop} leave too little of a recording of {length} to go by"
        )
    begin = (start + stop - size) // 2
    begin = min(max(begin, 0), length - size)
    return begin, begin + size


def _check(
    flow: Flow, x: NDArray[np.floating], start: int, stop: int, n: int, seed: int, steps: int
) -> tuple[int, int]:
    if x.ndim != 2 or x.shape[0] != flow.channels or x.shape[1] % flow.divisor:
        raise UsageError(
            f"inpaint: the window is {x.shape}, not ({flow.channels}, a multiple of {flow.divisor})"
        )
    channels, length = x.shape
    if not 0 <= start < stop <= length or stop - start == length:
        raise UsageError(f"inpaint: samples {start} to {stop} are no part of a window of {length}")
    if (stop - start) * channels > MOST_UNKNOWN:
        raise UsageError(
            f"inpaint: {(stop - start) * channels} samples at once, the most is {MOST_UNKNOWN}; fill shorter "
            "gaps"
        )
    if n < 1 or steps < 1:
        raise UsageError(f"inpaint: {n} draws of {steps} steps: both must be at least 1")
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"inpaint: seed {seed} is not between 0 and 2^63 - 1")
    rest = np.delete(x, np.s_[start:stop], axis=1)
    if not np.isfinite(rest).all():
        raise UsageError("inpaint: samples are missing in the window around the gap")
    return channels, length


def _uniform(shape: tuple[int, int], seed: int, index: int) -> Tensor:
    return torch.rand(shape, generator=seeded(seed, index, _DITHER), dtype=torch.float64)
