"""Recordings moved in the space of the noise: between two of them, and towards the most usual.

Shapes: sequences (C, T), any T: filled up to a multiple of the flow's divisor by their mirror image, and cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.special
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..distributions import Normal
from ..errors import UsageError
from ..flow import Flow
from ..marginals import marginal

BLOCK = 32
"""Steps of the noise, in one channel, that turn together on the way from one recording to another."""

_TINY = 1e-300
_STRAIGHT = 1e-6


class Given(NamedTuple):
    """A sequence (C, T) with its quantisation step, 0 for none, and its condition (K,), None for unknown."""

    values: NDArray[np.floating]
    step: float = 0.0
    condition: NDArray[np.float32] | None = None


@torch.no_grad()
def morph(flow: Flow, a: Given, b: Given, n: int) -> NDArray[np.float64]:
    """n sequences (n, C, T) on the way from a to b, which are the first and the last of them.

    Both are taken to noise. There every block of 32 steps of every channel, so of every level of a
    multi-scale flow, turns evenly from one direction to the other, its energy going along geometrically: a
    straight line would pass through noise that is too quiet. Noise that is not normal is turned as normal
    scores. The longer sequence is cut to the length of the shorter. Conditions change evenly.

    Raises UsageError for n below 2 or sequences of the wrong channels.
    """
    if n < 2:
        raise UsageError(f"morph: {n} steps: there must be at least 2, the ends")
    length = min(a.values.shape[-1], b.values.shape[-1])
    ends = [_noise(flow, one._replace(values=one.values[:, :length])) for one in (a, b)]
    scores = [_scores(flow, z) for z, _ in ends]
    made = []
    for index in range(n):
        t = index / (n - 1)
        if index in (0, n - 1):
            z, context = ends[index > 0]
        else:
            z = _from_scores(flow, turn(scores[0], scores[1], t))
            context = {key: (1.0 - t) * ends[0][1][key] + t * ends[1][1][key] for key in ends[0][1]}
            context["position"] = ends[0][1]["position"]
            context["step"] = torch.full_like(context["step"], _common(a.step, b.step))
        made.append(_sequence(flow, z, context, length))
    return np.stack(made)


@torch.no_grad()
def reconstruct(flow: Flow, given: Given, temperature: float) -> NDArray[np.float64]:
    """The sequence (C, T) whose noise is that of the given one times `temperature`.

    Below 1 it moves towards what is most usual, and at 1 stays what it was. Raises UsageError for a
    temperature outside of [0, 10].
    """
    if not 0.0 <= temperature <= 10.0:
        raise UsageError(f"reconstruct: temperature {temperature:g} is not between 0 and 10")
    z, context = _noise(flow, given)
    told = {**context, "temperature": z.new_full((1,), temperature)}
    return _sequence(flow, temperature * z, told, given.values.shape[1])


def turn(a: Tensor, b: Tensor, t: float, block: int = BLOCK) -> Tensor:
    """From a to b (..., T), block by block: directions by an even turn, lengths geometrically."""
    parts = []
    for one, other in zip(torch.split(a, block, -1), torch.split(b, block, -1), strict=True):
        r, s = (part.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(a.dtype).tiny) for part in (one, other))
        u, v = one / r, other / s
        angle = torch.acos((u * v).sum(-1, keepdim=True).clamp(-1.0, 1.0))
        sine = angle.sin()
        straight = sine < _STRAIGHT
        safe = torch.where(straight, torch.ones_like(sine), sine)
        left = torch.where(straight, torch.full_like(sine, 1.0 - t), ((1.0 - t) * angle).sin() / safe)
        right = torch.where(straight, torch.full_like(sine, t), (t * angle).sin() / safe)
        parts.append((left * u + right * v) * r ** (1.0 - t) * s**t)
    return torch.cat(parts, -1)


def _noise(flow: Flow, given: Given) -> tuple[Tensor, dict[str, Tensor]]:
    """Noise (1, C', T') in float64, and the context that brings it back."""
    values = np.asarray(given.values, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != flow.channels or values.shape[1] < 1:
        raise UsageError(f"the sequence is {values.shape}, not ({flow.channels}, at least 1)")
    device = next(flow.parameters()).device
    x = np.pad(values, ((0, 0), (0, -values.shape[1] % flow.divisor)), mode="symmetric")
    context = {
        "step": torch.full((1,), given.step, dtype=torch.float64, device=device),
        "position": torch.zeros(1, dtype=torch.int64, device=device),
        "span": torch.tensor([[0.0, 1.0]], dtype=torch.float64, device=device),
    }
    if flow.classes:
        vector = np.zeros(flow.classes.size) if given.condition is None else given.condition
        context["condition"] = torch.from_numpy(np.asarray(vector, np.float64)).to(device)[None]
    z, _ = flow.in_float64().to_noise(torch.from_numpy(x).to(device)[None], context)
    return z, context


def _sequence(flow: Flow, z: Tensor, context: dict[str, Tensor], length: int) -> NDArray[np.float64]:
    x, _ = flow.in_float64().from_noise(z, context)
    found: NDArray[np.float64] = x[0, :, :length].cpu().numpy()
    return found


def _scores(flow: Flow, z: Tensor) -> Tensor:
    """The noise as values of a standard normal of the same rank; normal noise stays as it is."""
    if isinstance(flow.base, Normal):
        return z
    values = z.cpu().numpy()
    # By the tail beyond |z|, which has digits where the distribution function has come to 1.
    tail = np.maximum(marginal(flow.base).cdf(-np.abs(values)), _TINY)
    return torch.from_numpy(-np.sign(values) * scipy.special.ndtri(tail)).to(z)


def _from_scores(flow: Flow, scores: Tensor) -> Tensor:
    if isinstance(flow.base, Normal):
        return scores
    values = scores.cpu().numpy()
    tail = np.maximum(scipy.special.ndtr(-np.abs(values)), _TINY)
    return torch.from_numpy(-np.sign(values) * marginal(flow.base).ppf(tail)).to(scores)


def _common(a: float, b: float) -> float:
    """The step of what lies between: the finer one; none where either has none."""
    return min(a, b)
