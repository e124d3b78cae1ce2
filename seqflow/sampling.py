"""Sequences drawn from a flow, each from a seed of its own, and never one with a hole in it.

Shapes: a sequence is (C, T) in the units of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .errors import UsageError
from .flow import Flow
from .truncation import LEAST_MASS, Truncation

MOST_DRAWS = 20
"""Draws in a row that may fail before it is the model that is taken to fail."""


class Drawn(NamedTuple):
    """A sequence (C, T) on the CPU in the dtype of the parameters, and the draws before it that failed."""

    values: Tensor
    redrawn: int


def draw(
    flow: Flow,
    n: int,
    length: int,
    *,
    step: float | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    condition: Mapping[str, str] | None = None,
    truncation: float = 1.0,
    share: range | None = None,
) -> Iterator[Drawn]:
    """Draw n sequences (C, length), one after the other; of 0 .. n - 1 only those in the `share`, if given.

    Sequence i depends on (seed, i), the length and the condition alone: more of them begin with the same
    ones, and every device gives the same up to rounding. `condition` gives values of the flow's `classes`;
    those not given are unknown. The flow serves lengths that are multiples of its divisor; for
    others a sequence is drawn at the next multiple and cut. `step` is the quantisation step the values are
    rounded down to: 0 for none, None for that of the flow's own layer. `truncation` draws the noise from that
    central mass of its distribution alone: below 1 nothing is far out. A draw with a value that is not finite
    is thrown away.

    Raises UsageError where the arguments are out of range, or where draw after draw is not finite.
    """
    _check(n, length, temperature, seed)
    if not LEAST_MASS <= truncation <= 1.0:
        raise UsageError(f"samples: truncation {truncation:g} is not between {LEAST_MASS:g} and 1")
    flow.classes.check(condition or {})
    indices = range(n) if share is None else share
    return _draw(flow, indices, length, step, temperature, seed, condition, truncation)


def draw_batches(
    flow: Flow,
    n: int,
    length: int,
    *,
    batch: int,
    step: float | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    condition: Mapping[str, str] | None = None,
    span: Tensor | None = None,
) -> Iterator[Tensor]:
    """Draw n sequences in batches (b, C, length) of at most `batch`, as they come: non-finite ones too.

    Up to rounding they are those of `draw` that it does not throw away, for every size of the batches. `span`
    (n, 2) says where in a recording each begins and ends, as fractions; None: each is a whole one. Raises
    UsageError where the arguments are out of range.
    """
    _check(n, length, temperature, seed)
    if batch < 1:
        raise UsageError(f"samples: batches of {batch}: must be at least 1")
    flow.classes.check(condition or {})
    return _draw_batches(flow, n, length, batch, step, temperature, seed, condition, span)


@torch.no_grad()
def _draw_batches(
    flow: Flow,
    n: int,
    length: int,
    batch: int,
    step: float | None,
    temperature: float,
    seed: int,
    condition: Mapping[str, str] | None,
    span: Tensor | None,
) -> Iterator[Tensor]:
    parameter = next(flow.parameters())
    twin = flow.in_float64()
    _, steps = flow.latent_shape(-(-length // flow.divisor) * flow.divisor)
    for at in range(0, n, batch):
        indices = range(at, min(at + batch, n))
        noise = [
            twin.base.sample(1, steps, temperature=temperature, generator=seeded(seed, index, 0))
            for index in indices
        ]
        context = _context(flow, len(indices), step, temperature, condition)
        if span is not None:
            context["span"] = span[at : at + len(indices)].to(context["span"])
        values = twin.from_noise(torch.cat(noise).to(parameter.device), context)[0]
        yield values[:, :, :length].to(parameter.dtype).cpu()


@torch.no_grad()
def _draw(
    flow: Flow,
    indices: range,
    length: int,
    step: float | None,
    temperature: float,
    seed: int,
    condition: Mapping[str, str] | None,
    truncation: float,
) -> Iterator[Drawn]:
    parameter = next(flow.parameters())
    dtype = parameter.dtype
    twin = flow.in_float64()
    _, steps = flow.latent_shape(-(-length // flow.divisor) * flow.divisor)
    noise = Truncation(twin.base, truncation)
    context = _context(flow, 1, step, temperature * noise.narrowing, condition)
    for index in indices:
        for attempt in range(MOST_DRAWS):
            z = noise.sample(1, steps, temperature=temperature, generator=seeded(seed, index, attempt))
            values = twin.from_noise(z.to(parameter.device), context)[0][0, :, :length].to(dtype).cpu()
            if bool(torch.isfinite(values).all()):
                yield Drawn(values, attempt)
                break
        else:
            raise UsageError(
                f"samples: {MOST_DRAWS} draws in a row were not finite at temperature {temperature:g}; lower "
                "it, or train the model longer"
            )


def _check(n: int, length: int, temperature: float, seed: int) -> None:
    if n < 1 or length < 1:
        raise UsageError(f"samples: {n} of length {length}: both must be at least 1")
    if not 0.0 <= temperature <= 10.0:
        raise UsageError(f"samples: temperature {temperature:g} is not between 0 and 10")
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"samples: seed {seed} is not between 0 and 2^63 - 1")


def _context(
    flow: Flow, n: int, step: float | None, temperature: float, condition: Mapping[str, str] | None
) -> dict[str, Tensor]:
    device = next(flow.parameters()).device
    context = {
        "position": torch.zeros(n, dtype=torch.int64, device=device),
        "span": torch.tensor([[0.0, 1.0]], dtype=torch.float64, device=device).expand(n, -1),
        "temperature": torch.full((n,), temperature, dtype=torch.float64, device=device),
    }
    if step is not None:
        context["step"] = torch.full((n,), step, dtype=torch.float64, device=device)
    if condition:
        vector = torch.from_numpy(flow.classes.vector(condition)).double()
        context["condition"] = vector.to(device).expand(n, -1)
    return context


def seeded(seed: int, index: int, attempt: int) -> torch.Generator:
    """Random numbers of their own, on the CPU, for sequence `index` of a seed."""
    words = np.random.SeedSequence([seed, index, attempt]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)
