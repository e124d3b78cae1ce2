"""All reference densities on the same windows.

Shapes: training stretches (C, n), test windows (W, C, T), in the units of the data, with uniform noise of one
step on values that lie on a lattice. Channels are independent of each other, each with a density of its own,
but for the full covariance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from .ar_mixture import ar_mixture
from .autoregression import ar_gaussian, ar_student
from .fit import Array, Fit, Unfit
from .gaussians import circulant_gaussian, dct_gaussian, full_gaussian
from .independent import laplace

Density = Callable[[list[Array], Array], Fit]

ORDERS: dict[str, int] = {"audio": 32, "series": 8}
"""Samples that autoregressions look back, by the kind of data."""

_MIXTURE_ORDER, _PREDICTORS, _GAINS = 16, 64, 24


@dataclass(frozen=True)
class Reference:
    """A reference density.

    Attributes:
        name: for tables.
        nats: minus the log-density of each window (W,); None where it could not be fitted.
        parameters: numbers fitted.
        seconds: CPU time of fit and evaluation.
        note: why it could not be fitted, or what is smaller than its name says.
    """

    name: str
    nats: Array | None
    parameters: int
    seconds: float
    note: str = ""


def densities(order: int) -> dict[str, Density]:
    """Densities of single channels by name, simplest first, with autoregressions of this order."""
    less = min(_MIXTURE_ORDER, order)
    return {
        "i.i.d. Laplace": laplace,
        "circulant Gaussian": circulant_gaussian,
        "DCT Gaussian": dct_gaussian,
        f"AR({order}) Gaussian": partial(ar_gaussian, order=order),
        f"AR({order}) Student-t": partial(ar_student, order=order),
        f"mixture of {_PREDICTORS} AR({less}) x {_GAINS} gains": partial(
            ar_mixture, order=less, predictors=_PREDICTORS, gains=_GAINS
        ),
    }


def fit_references(
    train: Sequence[Array], test: Array, *, kind: Literal["audio", "series"], order: int | None = None
) -> Iterator[Reference]:
    """Fit one reference after the other to `train`; each with its density of the windows of `test`.

    Series are brought to mean 0 and deviation 1 by the training data first, channel by channel (log-densities
    are those of the data as they were); audio has mean 0 and full scale 1 as it is. `order` None: see ORDERS.
    """
    channels, length = test.shape[1:]
    shift, scale = np.zeros((channels, 1)), np.ones((channels, 1))
    if kind == "series":
        everything = np.concatenate(list(train), axis=1)
        shift, deviation = everything.mean(1, keepdims=True), everything.std(1, keepdims=True)
        scale = np.where(deviation > 0, deviation, 1.0)
    constant = _constant(train)
    known = [(stretch - shift) / scale for stretch in train]
    seen = (test - shift) / scale
    paid = length * float(np.log(scale).sum())
    for name, density in densities(order or ORDERS[kind]).items():
        yield _fitted(name, partial(_by_channel, density, known, seen), paid, constant)
    yield _fitted("full Gaussian", partial(full_gaussian, known, seen), paid, constant)


def _constant(train: Sequence[Array]) -> int | None:
    """The first channel that never moves, where densities have no bound; None for none."""
    low = np.min([stretch.min(axis=1) for stretch in train], axis=0)
    high = np.max([stretch.max(axis=1) for stretch in train], axis=0)
    still = np.flatnonzero(low == high)
    return int(still[0]) if len(still) else None


def _fitted(name: str, work: Callable[[], Fit], paid: float, constant: int | None) -> Reference:
    if constant is not None:
        return Reference(name, None, 0, 0.0, f"channel {constant + 1} is constant in the training data")
    begin = time.process_time()
    try:
        fit = work()
    except Unfit as error:
        return Reference(name, None, 0, time.process_time() - begin, str(error))
    return Reference(name, fit.nats + paid, fit.parameters, time.process_time() - begin, fit.note)


def _by_channel(density: Density, train: list[Array], test: Array) -> Fit:
    fits = [
        density([np.ascontiguousarray(stretch[channel]) for stretch in train], test[:, channel])
        for channel in range(test.shape[1])
    ]
    return Fit(np.sum([fit.nats for fit in fits], axis=0), sum(fit.parameters for fit in fits), fits[0].note)
