"""Linear prediction of every sample from those before it, with a normal or a Student-t residual.

The first samples of a window are predicted from as many as there are before them, each order by least squares
of its own: each is an exact density of the window.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import linalg, optimize, special

from .fit import Array, Fit, normal_nats


def ar_gaussian(train: list[Array], test: Array, order: int = 32) -> Fit:
    """Linear prediction from `order` samples by least squares, normal residual."""
    predictors, variances = _predictors(train, order)
    first, rest = _residuals(test, predictors)
    nats = normal_nats(first, variances[: first.shape[1]]).sum(1) + normal_nats(rest, variances[-1]).sum(1)
    return Fit(nats, order + 1)


def ar_student(train: list[Array], test: Array, order: int = 32, every: int = 8) -> Fit:
    """Linear prediction with a Student-t residual: predictor, scale and freedom of most likelihood.

    Fitted by EM (a Student-t is a normal of random precision) to every eighth sample and those before it, or
    more of them where that would leave fewer than 100 for each coefficient. The first samples have the same
    freedom, and a scale that is larger as far as their squared residuals are.
    """
    total = sum(map(len, train))
    every = max(1, min(every, total // (100 * order)))
    rows = np.concatenate([regressors(r, order)[::every] for r in train])
    target, past = rows[:, 0], rows[:, 1:]
    a = np.linalg.lstsq(past, target, rcond=None)[0]
    tiny = np.finfo(np.float64).tiny
    nu, scale2 = 4.0, max(0.1 * float(np.var(target - past @ a)), tiny)
    for _ in range(15):
        e2 = (target - past @ a) ** 2
        weight = (nu + 1.0) / (nu + e2 / scale2)
        a = _solve(past.T @ (weight[:, None] * past), past.T @ (weight * target))
        e2 = (target - past @ a) ** 2

        def loss(log: Array, e2: Array = e2) -> float:
            return float(student_nats(e2, np.exp(log[0]), np.exp(log[1])).mean())

        best = optimize.minimize(
            loss,
            np.log([nu, scale2]),
            method="Nelder-Mead",
            options={"maxiter": 60},
            bounds=[(np.log(0.2), np.log(1e4)), (np.log(tiny), None)],
        )
        nu, scale2 = np.exp(best.x)
    predictors, variances = _predictors(train, order)
    first, rest = _residuals(test, [*predictors[:-1], a])
    wider = scale2 * np.maximum(variances[: first.shape[1]] / variances[-1], 1.0)
    nats = student_nats(first**2, nu, wider).sum(1) + student_nats(rest**2, nu, scale2).sum(1)
    return Fit(nats, order + 2)


def student_nats(e2: Array, nu: float, scale2: float | Array) -> Array:
    """Minus the log-density of Student-t values with these squares, elementwise."""
    constant = (
        special.gammaln(0.5 * nu) - special.gammaln(0.5 * (nu + 1.0)) + 0.5 * np.log(nu * np.pi * scale2)
    )
    return np.asarray(constant + 0.5 * (nu + 1.0) * np.log1p(e2 / (nu * scale2)))


def regressors(x: Array, order: int) -> Array:
    """(n, 1 + order): every sample, then the samples before it, latest first; zeros before the first."""
    padded = np.concatenate((np.zeros(order), x))
    return np.asarray(sliding_window_view(padded, order + 1)[:, ::-1])


def _residuals(x: Array, predictors: list[Array]) -> tuple[Array, Array]:
    """x (W, T) minus its prediction: (W, order) of the first samples by predictors of orders 0, 1, .., and
    (W, T - order) of the rest by the last. Windows shorter than the order have no rest."""
    order = len(predictors) - 1
    first = [x[:, t] - x[:, :t][:, ::-1] @ predictors[t] for t in range(min(order, x.shape[1]))]
    rest = [(regressors(w, order)[:, 1:] @ predictors[-1])[order:] for w in x]
    return np.stack(first, 1), x[:, order:] - np.stack(rest)


def _predictors(train: list[Array], order: int) -> tuple[list[Array], Array]:
    """Predictors of orders 0 to `order` by least squares, and the variances of what they leave."""
    moments = np.zeros((order + 1, order + 1))
    for rows in (regressors(x, order) for x in train):
        moments += rows.T @ rows
    moments /= sum(map(len, train))
    predictors = [_solve(moments[1 : k + 1, 1 : k + 1], moments[1 : k + 1, 0]) for k in range(order + 1)]
    left = [
        moments[0, 0] - 2.0 * a @ moments[1 : len(a) + 1, 0] + a @ moments[1 : len(a) + 1, 1 : len(a) + 1] @ a
        for a in predictors
    ]
    return predictors, np.maximum(left, np.finfo(np.float64).tiny)


def _solve(square: Array, right: Array) -> Array:
    if not len(right):
        return np.zeros(0)
    try:
        return np.asarray(linalg.solve(square, right, assume_a="pos"))
    except linalg.LinAlgError:
        # As for a pure tone: many predictors are equally good.
        return np.asarray(linalg.lstsq(square, right)[0])
