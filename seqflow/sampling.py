"""Sequences drawn from a flow, each from a seed of its own, and never one with a hole in it.

Shapes: a sequence is (C, T) in the units of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .errors import UsageError
from .flow import Flow

MOST_DRAWS = 20
"""Draws in a row that may fail before it is the model that is taken to fail."""


class Drawn(NamedTuple):
    """A sequence (C, T) on the CPU in the dtype of the parameters, and the draws before it that failed."""

    values: Tensor
    redrawn: int


def draw(
    flow: Flow, n: int, length: int, *, step: float | None = None, temperature: float = 1.0, seed: int = 0
) -> Iterator[Drawn]:
    """Draw n sequences (C, length), one after the other.

    Sequence i depends on (seed, i) and the length alone: more of them begin with the same ones, and every
    device gives the same up to rounding. The flow serves lengths that are multiples of its divisor; for
    others a sequence is drawn at the next multiple and cut. `step` is the quantisation step the values are
    rounded down to: 0 for none, None for that of the flow's own layer. A draw with a value that is not finite
    is thrown away.

    Raises UsageError where the arguments are out of range, or where draw after draw is not finite.
    """
    if n < 1 or length < 1:
        raise UsageError(f"samples: {n} of length {length}: both must be at least 1")
    if not 0.0 <= temperature <= 10.0:
        raise UsageError(f"samples: temperature {temperature:g} is not between 0 and 10")
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"samples: seed {seed} is not between 0 and 2^63 - 1")
    return _draw(flow, n, length, step, temperature, seed)


@torch.no_grad()
def _draw(
    flow: Flow, n: int, length: int, step: float | None, temperature: float, seed: int
) -> Iterator[Drawn]:
    parameter = next(flow.parameters())
    dtype = parameter.dtype
    twin = flow.in_float64()
    _, steps = flow.latent_shape(-(-length // flow.divisor) * flow.divisor)
    context = {"position": torch.zeros(1, dtype=torch.int64, device=parameter.device)}
    if step is not None:
        context["step"] = torch.full((1,), step, dtype=torch.float64, device=parameter.device)
    for index in range(n):
        for attempt in range(MOST_DRAWS):
            z = twin.base.sample(
                1, steps, temperature=temperature, generator=_generator(seed, index, attempt)
            )
            values = twin.from_noise(z.to(parameter.device), context)[0][0, :, :length].to(dtype).cpu()
            if bool(torch.isfinite(values).all()):
                yield Drawn(values, attempt)
                break
        else:
            raise UsageError(
                f"samples: {MOST_DRAWS} draws in a row were not finite at temperature {temperature:g}; lower "
                "it, or train the model longer"
            )


def _generator(seed: int, index: int, attempt: int) -> torch.Generator:
    words = np.random.SeedSequence([seed, index, attempt]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)
