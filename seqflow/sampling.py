"""Sequences drawn from a flow, each from a seed of its own, and never one with a hole in it.

Shapes: a sequence is (C, T) in the units of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import UsageError
from .flow import Flow
from .truncation import LEAST_MASS, Truncation

MOST_DRAWS = 20
"""Draws in a row that may fail before it is the model that is taken to fail."""
MOST_BEYOND = 8
"""Draws in a row that may leave the range: the last one stays."""


class Drawn(NamedTuple):
    """A sequence (C, T) on the CPU in the dtype of the parameters, and the draws thrown away.

    Attributes:
        redrawn: draws that were not finite.
        beyond: draws that left the range.
    """

    values: Tensor
    redrawn: int
    beyond: int


class DrawnBatch(NamedTuple):
    """Sequences (b, C, T), and for each what `Drawn` tells of it (b,)."""

    values: Tensor
    redrawn: NDArray[np.int64]
    beyond: NDArray[np.int64]


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
    limit: float | None = None,
    share: range | None = None,
) -> Iterator[Drawn]:
    """Draw n sequences (C, length), one after the other; of 0 .. n - 1 only those in the `share`, if given.

    Sequence i depends on (seed, i), the length and the condition alone: more of them begin with the same
    ones, and every device gives the same up to rounding. `condition` gives values of the flow's `classes`;
    those not given are unknown. The flow serves lengths that are multiples of its divisor; for
    others a sequence is drawn at the next multiple and cut. `step` is the quantisation step the values are
    rounded down to: 0 for none, None for that of the flow's own layer. `truncation` draws the noise from that
    central mass of its distribution alone: below 1 nothing is far out. A draw with a value that is not finite
    is thrown away, and so is one with a value beyond ±limit: what is kept has the density of the flow given
    that the sequence stays within. After `MOST_BEYOND` draws of a sequence it is kept as it is.

    Raises UsageError where the arguments are out of range, or where draw after draw is not finite.
    """
    _check(n, length, temperature, seed)
    if not LEAST_MASS <= truncation <= 1.0:
        raise UsageError(f"samples: truncation {truncation:g} is not between {LEAST_MASS:g} and 1")
    flow.classes.check(condition or {})
    indices = range(n) if share is None else share
    return _draw(flow, indices, length, step, temperature, seed, condition, truncation, limit)


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
    limit: float | None = None,
) -> Iterator[DrawnBatch]:
    """Draw n sequences in batches (b, C, length) of at most `batch`.

    Up to rounding they are those of `draw`, for every size of the batches, but that a sequence of which no
    draw is finite stays among them. `span` (n, 2) says where in a recording each begins and ends, as
    fractions; None: each is a whole one. Raises UsageError where the arguments are out of range.
    """
    _check(n, length, temperature, seed)
    if batch < 1:
        raise UsageError(f"samples: batches of {batch}: must be at least 1")
    flow.classes.check(condition or {})
    return _draw_batches(flow, n, length, batch, step, temperature, seed, condition, span, limit)


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
    limit: float | None,
) -> Iterator[DrawnBatch]:
    parameter = next(flow.parameters())
    twin = flow.in_float64()
    _, steps = flow.latent_shape(-(-length // flow.divisor) * flow.divisor)
    for at in range(0, n, batch):
        count = min(batch, n - at)
        context = _context(flow, count, step, temperature, condition)
        if span is not None:
            context["span"] = span[at : at + count].to(context["span"])
        values = torch.full((count, flow.channels, length), torch.nan, dtype=parameter.dtype)
        redrawn, beyond = np.zeros(count, np.int64), np.zeros(count, np.int64)
        todo = np.arange(count)
        for attempt in range(MOST_DRAWS):
            noise = [
                twin.base.sample(1, steps, temperature=temperature, generator=seeded(seed, at + i, attempt))
                for i in todo.tolist()
            ]
            told = {key: value[todo] for key, value in context.items()}
            made = twin.from_noise(torch.cat(noise).to(parameter.device), told)[0]
            made = made[:, :, :length].to(parameter.dtype).cpu()
            finite, within = _good(made, limit)
            values[todo[finite]] = made[finite]
            redrawn[todo[~finite]] += 1
            beyond[todo[finite & ~within]] += 1
            todo = todo[~finite | (~within & (beyond[todo] < MOST_BEYOND))]
            if not len(todo):
                break
        yield DrawnBatch(values, redrawn, beyond)


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
    limit: float | None,
) -> Iterator[Drawn]:
    parameter = next(flow.parameters())
    dtype = parameter.dtype
    twin = flow.in_float64()
    _, steps = flow.latent_shape(-(-length // flow.divisor) * flow.divisor)
    noise = Truncation(twin.base, truncation)
    context = _context(flow, 1, step, temperature * noise.narrowing, condition)
    for index in indices:
        kept, redrawn, beyond = None, 0, 0
        for attempt in range(MOST_DRAWS):
            z = noise.sample(1, steps, temperature=temperature, generator=seeded(seed, index, attempt))
            values = twin.from_noise(z.to(parameter.device), context)[0][:, :, :length].to(dtype).cpu()
            finite, within = (bool(one[0]) for one in _good(values, limit))
            redrawn += not finite
            beyond += finite and not within
            kept = values[0] if finite else kept
            if finite and (within or beyond == MOST_BEYOND):
                break
        if kept is None:
            raise UsageError(
                f"samples: {MOST_DRAWS} draws in a row were not finite at temperature {temperature:g}; lower "
                "it, or train the model longer"
            )
        yield Drawn(kept, redrawn, beyond)


def _good(values: Tensor, limit: float | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which sequences (b, C, T) are finite, and which within ±limit as well."""
    finite = torch.isfinite(values).all(2).all(1).numpy()
    if limit is None:
        return finite, finite
    return finite, finite & (values.abs() <= limit).all(2).all(1).numpy()


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
