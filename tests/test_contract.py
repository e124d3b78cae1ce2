"""The laws of a bijection, for every row of tests/cases.py and several lengths, even and odd.

Tolerances are for float64, and named once.
"""

from __future__ import annotations

import pytest
import torch
from cases import CASES, Case, context_for, jacobian, perturb
from torch import Tensor, nn

from seqflow.bijections import Bijection, Chain

ROUND_TRIP = 1e-9
LOG_DET = 1e-9
SUM = 1e-10
BATCH = 1e-12
BATCH_SIZE = 3

ROWS = [pytest.param(case, length, id=f"{case.name}-{length}") for case in CASES for length in case.lengths]
ONCE = [pytest.param(case, id=case.name) for case in CASES]


def started(
    case: Case, length: int, dtype: torch.dtype = torch.float64
) -> tuple[Bijection, Tensor, dict[str, Tensor]]:
    """The row's bijection away from its start, windows for it, and their context."""
    torch.manual_seed(length)
    bijection = case.make().to(dtype)
    x = 0.8 * torch.randn(BATCH_SIZE, case.channels, length, dtype=dtype)
    context = context_for(case, BATCH_SIZE, dtype)
    bijection.initialize(x, context)
    perturb(bijection)
    return bijection, x, context


@pytest.mark.parametrize(("case", "length"), ROWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtype(case: Case, length: int, dtype: torch.dtype) -> None:
    bijection, x, context = started(case, length, dtype)
    before = x.clone()
    with torch.no_grad():
        y, log_det = bijection(x, context)
        assert torch.equal(x, before)
        back, log_back = bijection.inverse(y, context)
        z, share = bijection.local(x, context)
    assert tuple(y.shape[1:]) == bijection.output_shape(case.channels, length)
    assert back.shape == x.shape
    assert log_det.shape == log_back.shape == (BATCH_SIZE,)
    assert share.shape == (BATCH_SIZE, y.shape[-1])
    assert {t.dtype for t in (y, log_det, back, log_back, z, share)} == {dtype}
    assert all(t.isfinite().all() for t in (y, log_det, back, log_back, z, share))


@pytest.mark.parametrize(("case", "length"), ROWS)
def test_round_trip_both_ways(case: Case, length: int) -> None:
    bijection, x, context = started(case, length)
    with torch.no_grad():
        y, log_det = bijection(x, context)
        back, log_back = bijection.inverse(y, context)
        assert (back - x).abs().max() <= ROUND_TRIP
        assert (log_det + log_back).abs().max() <= LOG_DET
        z = torch.randn_like(y)
        x, log_det = bijection.inverse(z, context)
        again, log_back = bijection(x, context)
    assert (again - z).abs().max() <= ROUND_TRIP
    assert (log_det + log_back).abs().max() <= LOG_DET


@pytest.mark.parametrize(("case", "length"), ROWS)
def test_log_det_is_that_of_the_jacobian(case: Case, length: int) -> None:
    bijection, x, context = started(case, length)
    for item in range(2):
        matrix, log_det = jacobian(bijection, x[item], {key: v[item] for key, v in context.items()})
        assert abs(torch.linalg.slogdet(matrix)[1] - log_det) <= LOG_DET


@pytest.mark.parametrize(("case", "length"), ROWS)
def test_shares_sum_to_the_log_det(case: Case, length: int) -> None:
    bijection, x, context = started(case, length)
    with torch.no_grad():
        y, log_det = bijection(x, context)
        z, share = bijection.local(x, context)
    assert torch.allclose(y, z, rtol=0, atol=SUM)
    assert (share.sum(-1) - log_det).abs().max() <= SUM


@pytest.mark.parametrize("case", ONCE)
def test_items_do_not_see_their_batch(case: Case) -> None:
    bijection, x, context = started(case, case.lengths[-1])
    with torch.no_grad():
        y, log_det = bijection(x, context)
        z, log_back = bijection.inverse(y, context)
        for item in range(BATCH_SIZE):
            alone = {key: value[item : item + 1] for key, value in context.items()}
            one, one_det = bijection(x[item : item + 1], alone)
            back, back_det = bijection.inverse(y[item : item + 1], alone)
            assert (one - y[item]).abs().max() <= BATCH * y.abs().max()
            assert (back - z[item]).abs().max() <= BATCH * z.abs().max()
            assert (one_det - log_det[item]).abs().max() <= BATCH * (1 + log_det.abs().max())
            assert (back_det - log_back[item]).abs().max() <= BATCH * (1 + log_back.abs().max())


@pytest.mark.parametrize("case", ONCE)
@pytest.mark.parametrize("start", ["at the start", "perturbed"])
def test_gradients_are_finite_and_reach_every_parameter(case: Case, start: str) -> None:
    torch.manual_seed(0)
    bijection = case.make().double()
    if start == "perturbed":
        perturb(bijection)
    x = torch.randn(BATCH_SIZE, case.channels, case.lengths[0], dtype=torch.float64, requires_grad=True)
    context = context_for(case, BATCH_SIZE, x.dtype)
    for run in (bijection, bijection.inverse):
        source = x if run is bijection else bijection(x, context)[0].detach().requires_grad_()
        y, log_det = run(source, context)
        (y.pow(3).sum() + log_det.sum()).backward()
        assert source.grad is not None
        assert source.grad.isfinite().all()
    for name, parameter in bijection.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            if start == "perturbed":
                assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("case", ONCE)
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_gradcheck(case: Case, way: str) -> None:
    bijection, x, context = started(case, case.lengths[1])
    names = [name for name, p in bijection.named_parameters() if p.requires_grad]
    values = [dict(bijection.named_parameters())[name].detach().clone().requires_grad_() for name in names]
    runner = _Way(bijection, way)
    source = x if way == "forward" else bijection(x, context)[0].detach()

    def run(source: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        named = {f"bijection.{name}": value for name, value in zip(names, values, strict=True)}
        result: tuple[Tensor, ...] = torch.func.functional_call(runner, named, (source, context))
        return result

    assert torch.autograd.gradcheck(
        run, (source.clone().requires_grad_(), *values), fast_mode=True, atol=1e-6
    )


class _Way(nn.Module):
    def __init__(self, bijection: Bijection, way: str) -> None:
        super().__init__()
        self.bijection = bijection
        self.way = way

    def forward(self, x: Tensor, context: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.bijection(x, context) if self.way == "forward" else self.bijection.inverse(x, context)


@pytest.mark.parametrize("case", ONCE)
def test_state_dict_holds_everything(case: Case) -> None:
    bijection, x, context = started(case, case.lengths[0])
    state = {key: value.clone() for key, value in bijection.state_dict().items()}
    twin = case.make().double()
    twin.load_state_dict(state)
    with torch.no_grad():
        for ours, theirs in zip(bijection(x, context), twin(x, context), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("case", ONCE)
def test_in_a_chain(case: Case) -> None:
    bijection, x, context = started(case, case.lengths[0])
    chain = Chain([Chain([]), bijection])
    with torch.no_grad():
        y, log_det = chain(x, context)
        back, _ = chain.inverse(y, context)
        expected, term = bijection(x, context)
        z, share = chain.local(x, context)
    assert torch.equal(y, expected)
    assert torch.equal(log_det, term)
    assert (back - x).abs().max() <= ROUND_TRIP
    assert torch.allclose(z, y, rtol=0, atol=SUM)
    assert (share.sum(-1) - log_det).abs().max() <= SUM


@pytest.mark.parametrize("case", [row for row in ONCE if row.values[0].identity])  # type: ignore[attr-defined]
def test_identity_at_the_start(case: Case) -> None:
    torch.manual_seed(1)
    bijection = case.make().double()
    x = 2.0 * torch.randn(BATCH_SIZE, case.channels, case.lengths[1], dtype=torch.float64)
    context = context_for(case, BATCH_SIZE, x.dtype)
    y, log_det = bijection(x, context)
    assert (y - x).abs().max() <= 1e-13
    assert log_det.abs().max() <= 1e-12


@pytest.mark.parametrize("case", ONCE)
def test_autocast_changes_nothing(case: Case) -> None:
    bijection, x, context = started(case, case.lengths[1], torch.float32)
    with torch.no_grad():
        plain = (*bijection(x, context), *bijection.inverse(bijection(x, context)[0], context))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = (*bijection(x, context), *bijection.inverse(bijection(x, context)[0], context))
    for a, b in zip(plain, cast, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
