"""Sequences of any length, carried on hop by hop: each stretch drawn given what comes before it.

Shapes: sequences (n, C, T) in the units of the data.
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
from ..sampling import draw, seeded
from .gap import MOST_UNKNOWN, STEPS, fill

_FIRST = 2


@dataclass(frozen=True)
class Continued:
    """Sequences that were carried on.

    Attributes:
        values: (n, C, T) in the dtype of the parameters.
        joins: first samples of the stretches behind the first.
        acceptance: mean fraction of proposals accepted; 1 where nothing was carried on.
    """

    values: NDArray[np.floating]
    joins: tuple[int, ...]
    acceptance: float


def continue_sequences(
    flow: Flow,
    n: int,
    length: int,
    *,
    window: int,
    hop: int | None = None,
    step: float | None = None,
    temperature: float = 1.0,
    truncation: float = 1.0,
    condition: Mapping[str, str] | None = None,
    seed: int = 0,
    steps: int = STEPS,
    share: range | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Continued:
    """Draw n sequences (n, C, length): a window as `sampling.draw` has it, then stretches of `hop` samples.

    A stretch is drawn from p(new | what comes before) of the flow at the length of the window, by the sampler
    of `inpaint`, which is exact only as its steps go to infinity. `hop` is half a window where it is None.
    Temperature and truncation are those of the first window: what follows has the model's own density. Of
    the sequences 0 .. n - 1 only those in the `share` are drawn, where one is given: the same ones.
    `on_progress` gets samples done and all. Slow beside one pass: see docs/generation.md.

    Raises UsageError where the arguments are out of range.
    """
    hop = window // 2 if hop is None else hop
    if not 1 <= hop < window or hop * flow.channels > MOST_UNKNOWN:
        raise UsageError(
            f"samples: hops of {hop}: must be between 1 and {window - 1}, the window being {window}, with at "
            f"most {MOST_UNKNOWN} values in all channels"
        )
    if window % flow.divisor:
        raise UsageError(f"samples: a window of {window} is not a multiple of {flow.divisor}")
    # Continuous values go on from continuous ones; the lattice comes last.
    drawn = draw(
        flow,
        n,
        min(length, window),
        step=0.0,
        temperature=temperature,
        truncation=truncation,
        seed=seed,
        condition=condition,
        share=share,
    )
    indices = range(n) if share is None else share
    dtype = next(flow.parameters()).dtype
    device = next(flow.parameters()).device
    x = torch.stack([one.values for one in drawn]).double().to(device)
    generators = [seeded(seed, index, _FIRST << 32) for index in indices]
    joins: list[int] = []
    accepted: list[float] = []
    while x.shape[-1] < length:
        joins.append(x.shape[-1])
        kept = x[..., hop - window :]
        windows = torch.cat((kept, torch.zeros_like(x[..., :1]).expand(-1, -1, hop)), -1)
        unknown = torch.zeros(windows.shape[1:], dtype=torch.bool, device=device)
        unknown[:, -hop:] = True
        begin = x.shape[-1] + hop - window
        context = _context(flow, len(indices), begin / length, (begin + window) / length, condition)
        found = fill(flow, windows, unknown, context, generators, steps=steps)
        x = torch.cat((x, found.values.reshape(len(indices), -1, hop)), -1)
        accepted.append(float(found.acceptance.mean()))
        if on_progress is not None:
            on_progress(min(length, x.shape[-1]), length)
    x = x[..., :length]
    if step:
        x = torch.floor(x / step) * step
    acceptance = float(np.mean(accepted)) if accepted else 1.0
    return Continued(x.to(dtype).cpu().numpy(), tuple(joins), acceptance)


def _context(
    flow: Flow, n: int, begin: float, end: float, condition: Mapping[str, str] | None
) -> dict[str, Tensor]:
    device = next(flow.parameters()).device
    span = torch.tensor([[begin, min(end, 1.0)]], dtype=torch.float64, device=device)
    context: dict[str, Tensor] = {
        "position": torch.zeros(n, dtype=torch.int64, device=device),
        "span": span.expand(n, -1),
    }
    if condition:
        context["condition"] = torch.from_numpy(flow.classes.vector(condition)).to(device).expand(n, -1)
    return context
