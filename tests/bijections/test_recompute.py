"""Gradients from recomputed activations are those of kept ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from cases import CASES, Case, context_for, coupling, perturb
from torch import Tensor, nn

from seqflow.bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    ChannelMix,
    CircularConv,
    Context,
    ConvCoupling,
    Dequantize,
    MultiScale,
    Squeeze,
    Standardize,
    Whitening,
)
from seqflow.data.batch import Batch
from seqflow.distributions import Normal
from seqflow.flow import Flow
from seqflow.training.step import accumulate

LIMITS = {torch.float64: 1e-10, torch.float32: 1e-4}
TOLERANCE = 3e-5
NAMES = {
    "affine-swap",
    "affine-condition",
    "channel-mix",
    "circular",
    "conf-causal",
    "conf-condition",
    "conf-gate-asinh",
    "conf-gate-per-window",
    "conf-local",
    "conf-symmetric",
    "flow",
    "gate-piecewise",
    "inverse",
    "level-pyramid",
    "multi-scale",
    "multichannel",
    "spline",
    "standardize",
    "symmetric-whole",
}
ROWS = [
    pytest.param(case, length, id=f"{case.name}-{length}")
    for case in CASES
    if case.name in NAMES
    for length in case.lengths[:2]
]


def gradients(chain: Chain, x: Tensor, context: Context, shares: bool = False) -> list[Tensor]:
    """Gradients of a loss of the noise and the log-determinant, in the input, the context, the parameters."""
    for parameter in chain.parameters():
        parameter.grad = None
    x = x.clone().requires_grad_()
    told = {key: value.clone().requires_grad_() for key, value in context.items()}
    y, term = (chain.local if shares else chain)(x, told)
    weights = torch.linspace(0.5, 1.5, term.shape[-1], dtype=term.dtype)
    (0.5 * y.square().sum() - (term * weights).sum()).backward()
    wanted = [p for p in chain.parameters() if p.requires_grad]
    found = [x.grad, *(value.grad for value in told.values()), *(p.grad for p in wanted)]
    return [grad for grad in found if grad is not None]


def forgetting(chain: Chain, tolerance: float = TOLERANCE) -> Chain:
    twin = copy.deepcopy(chain)
    for module in twin.modules():
        if isinstance(module, Chain):
            module.recompute = tolerance
    return twin


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    assert [a.shape for a in ours] == [b.shape for b in theirs]
    a, b = (torch.cat([grad.flatten() for grad in grads]) for grads in (ours, theirs))
    return float((a - b).norm() / b.norm())


def deep(make: Callable[[], Bijection], times: int, scale: float = 0.05) -> Chain:
    chain = Chain([make() for _ in range(times)])
    perturb(chain, scale)
    return chain


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize(("case", "length"), ROWS)
def test_gradients_of_every_kind_of_layer(case: Case, length: int, dtype: torch.dtype) -> None:
    torch.manual_seed(length)
    keeps_shape = case.make().output_shape(case.channels, length) == (case.channels, length)
    # One kind is made to stand alone, as the last layer.
    times = (2 if "level" in case.name else 17) if keeps_shape else 1
    chain = deep(case.make, times, 0.1).to(dtype)
    x = 0.8 * torch.randn(3, case.channels, length, dtype=dtype)
    context = context_for(case, 3, dtype)
    forgets = forgetting(chain)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(forgets(x, context), chain(x, context), strict=True))
    for shares in (False, True):
        expected = gradients(chain, x, context, shares)
        assert difference(gradients(forgets, x, context, shares), expected) <= LIMITS[dtype]


def test_32_steps_in_float32() -> None:
    torch.manual_seed(0)
    layers: list[Bijection] = [Squeeze(2)]
    for index in range(32):
        layers += [coupling(ConvCoupling, 2, index % 2 == 1, budget=0.5, max_log_scale=0.5), ActNorm(2)]
    chain = Chain(layers)
    perturb(chain, 0.05)
    x = torch.randn(2, 1, 2048)
    assert difference(gradients(forgetting(chain), x, {}), gradients(chain, x, {})) <= LIMITS[torch.float32]


def kept_bytes(chain: Chain, x: Tensor) -> int:
    """Bytes that a forward pass keeps for the backward pass, without the parameters."""
    own = {p.untyped_storage().data_ptr() for p in chain.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = chain(x)
    assert held[0].requires_grad
    return sum(sizes.values())


def test_what_is_kept_does_not_grow_with_depth() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 64)
    shallow, middle, steep = (forgetting(deep(lambda: coupling(AffineCoupling, 2), n)) for n in (8, 16, 64))
    assert kept_bytes(middle, x) == kept_bytes(steep, x) == kept_bytes(shallow, x)
    assert kept_bytes(steep, x) < 0.1 * kept_bytes(deep(lambda: coupling(AffineCoupling, 2), 64), x)


class Leaky(ActNorm):
    """An inverse that is off by a hundredth."""

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = super().inverse(z, context)
        return 1.01 * x, log_det


def test_a_poor_inverse_is_found_out_and_done_without() -> None:
    torch.manual_seed(0)
    layers: list[Bijection] = [coupling(AffineCoupling, 2) for _ in range(20)]
    layers.insert(10, Leaky(2))
    chain = Chain(layers).double()
    perturb(chain, 0.1)
    x = torch.randn(3, 2, 16, dtype=torch.float64)
    expected = gradients(chain, x, {})
    assert difference(gradients(forgetting(chain, float("inf")), x, {}), expected) > 1e-4
    assert difference(gradients(forgetting(chain), x, {}), expected) <= 1e-14


def test_values_that_are_not_finite_do_not_pass_for_good() -> None:
    chain = forgetting(deep(lambda: ActNorm(2), 20).double())
    x = torch.randn(3, 2, 16, dtype=torch.float64)
    x[0, 0, 0] = float("nan")
    assert not gradients(chain, x, {})[1].isfinite().all()


def start(*, noise: bool = True) -> Chain:
    """The beginning of a flow: what is no stretch, two levels, and a stretch with a shared layer."""
    torch.manual_seed(1)
    shared = coupling(ConvCoupling, 4, gate="piecewise")
    layers: list[Bijection] = [Dequantize(0.1)] if noise else []
    layers += [Standardize(1), Whitening(1, 4), Squeeze(2)]
    layers += [MultiScale([Chain([ActNorm(2), ChannelMix(2), CircularConv(2, 2)]), Squeeze(2)]), Squeeze(1)]
    layers = [*layers[:-2], Squeeze(2), shared, ActNorm(4), shared, ChannelMix(4)]
    chain = Chain(layers).double()
    perturb(chain, 0.1)
    return chain


@pytest.mark.parametrize("length", [16, 20])
def test_noise_is_drawn_once_and_shared_layers_add_up(length: int) -> None:
    chain = start()
    x = torch.randn(3, 1, length, dtype=torch.float64)
    found = []
    for one in (chain, forgetting(chain)):
        torch.manual_seed(5)
        found.append((gradients(one, x, {}), torch.get_rng_state()))
    assert difference(found[1][0], found[0][0]) <= LIMITS[torch.float64]
    assert torch.equal(found[0][1], found[1][1])


def test_frozen_parameters_have_no_gradient() -> None:
    chain = forgetting(deep(lambda: coupling(AffineCoupling, 2), 12).double())
    frozen = next(chain.parameters()).requires_grad_(False)
    x = torch.randn(3, 2, 16, dtype=torch.float64)
    got = gradients(chain, x, {})
    plain = copy.deepcopy(chain)
    plain.recompute = None
    assert frozen.grad is None
    assert difference(got, gradients(plain, x, {})) <= LIMITS[torch.float64]
    # Nothing to train and an input without gradient: nothing is recorded.
    assert not chain.requires_grad_(False)(x)[0].requires_grad


def test_a_learned_condition_is_reached_through_its_own_graph() -> None:
    torch.manual_seed(0)
    chain = deep(lambda: coupling(AffineCoupling, 2, condition_size=3), 12).double()
    table = nn.Embedding(4, 3).double()
    x = torch.randn(3, 2, 16, dtype=torch.float64)
    found = []
    for one in (chain, forgetting(chain)):
        table.weight.grad = None
        y, log_det = one(x, {"condition": table(torch.tensor([0, 3, 3]))})
        (y.square().sum() - log_det.sum()).backward()
        found.append(table.weight.grad)
    assert found[0] is not None
    assert difference(found[1:], found[:1]) <= LIMITS[torch.float64]  # type: ignore[arg-type]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", [5, 2])
def test_a_training_step_in_micro_batches(masked: bool, size: int) -> None:
    torch.manual_seed(2)
    layers: list[Bijection] = [Standardize(1), Whitening(1, 3), Squeeze(2)]
    layers += [coupling(ConvCoupling, 2, index % 2 == 1, taps=2) for index in range(10)]
    flow = Flow(Chain(layers), Normal(2), 1).double()
    perturb(flow, 0.05)
    mask = torch.ones(5, 18, dtype=torch.bool)
    if masked:
        mask[1, 4:9] = False
    x = torch.randn(5, 1, 18, dtype=torch.float64) * mask.unsqueeze(1)
    batch = Batch(x, mask, torch.zeros(5, dtype=torch.int64), torch.zeros(5))
    losses, grads = [], []
    for tolerance, windows in ((None, 5), (TOLERANCE, size)):
        assert isinstance(flow.bijection, Chain)
        flow.bijection.recompute = tolerance
        losses.append(accumulate(flow, batch, windows).nats)
        grads.append([p.grad.clone() for p in flow.parameters() if p.grad is not None])
    assert losses[1] == pytest.approx(losses[0], rel=1e-12)
    assert difference(grads[1], grads[0]) <= LIMITS[torch.float64]


def test_evaluation_is_untouched_and_second_gradients_are_refused_in_training() -> None:
    chain = forgetting(deep(lambda: ActNorm(2), 12).double())
    x = torch.randn(3, 2, 16, dtype=torch.float64, requires_grad=True)

    def twice() -> None:
        (first,) = torch.autograd.grad(chain(x)[0].pow(3).sum(), x, create_graph=True)
        first.sum().backward()

    chain.eval()
    twice()
    chain.train()
    with pytest.raises(RuntimeError, match="once_differentiable"):
        twice()


def test_parameters_that_changed_before_the_backward_pass_are_refused() -> None:
    chain = forgetting(deep(lambda: ActNorm(2), 12))
    y, _ = chain(torch.randn(3, 2, 16))
    with torch.no_grad():
        next(chain.parameters()).add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
