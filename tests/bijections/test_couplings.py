"""Couplings: what stays, what the conditioner is asked for, the splines, and the exact shares."""

from __future__ import annotations

from bisect import bisect_right

import pytest
import torch
from cases import TinyConditioner, coupling, jacobian, perturb

from seqflow.bijections import AffineCoupling, ConvCoupling, SplineCoupling, coupling_sizes
from seqflow.bijections.spline_coupling import spline_forward, spline_from, spline_inverse

KINDS = [AffineCoupling, SplineCoupling, ConvCoupling]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("channels", [2, 3, 5])
def test_one_part_stays_to_the_bit(kind: type[AffineCoupling], channels: int, swap: bool) -> None:
    layer = coupling(kind, channels, swap)
    perturb(layer)
    x = torch.randn(2, channels, 16)
    y, _ = layer(x)
    same = (y == x).flatten(2).all(-1).all(0)
    head = (channels + 1) // 2
    stays = torch.arange(channels) >= head if swap else torch.arange(channels) < head
    assert torch.equal(same, stays)


def test_sizes() -> None:
    assert coupling_sizes(5) == (3, 2)
    assert coupling_sizes(5, swap=True) == (2, 3)
    with pytest.raises(ValueError, match="at least 2"):
        coupling_sizes(1)
    assert AffineCoupling.parameter_counts(5) == (4, 0)
    assert SplineCoupling.parameter_counts(4, bins=3) == (16, 0)
    assert ConvCoupling.parameter_counts(4, taps=5) == (4, 18)
    assert ConvCoupling.parameter_counts(4, taps=5, boundary="causal", gate="piecewise", gate_knots=3) == (
        10,
        10,
    )
    assert ConvCoupling.parameter_counts(2, conv=False, gate="boxcox", gate_per="window") == (2, 2)


def test_a_conditioner_of_the_wrong_size_is_named() -> None:
    layer = AffineCoupling(2, TinyConditioner(1, 3, 0))
    with pytest.raises(
        ValueError, match="gives 3 point-wise and 0 pooled parameters, the coupling needs 2 and 0"
    ):
        layer(torch.zeros(1, 2, 8))
    with pytest.raises(ValueError, match="made for 2 channels"):
        layer(torch.zeros(1, 4, 8))


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        ({"order": ("conv", "conv")}, "at most once"),
        ({"order": ("conv",)}, "leaves out scale_shift"),
        ({"conv": False, "scale_shift": False}, "at least one"),
        ({"gate": "relu"}, "gate must be"),
        ({"gate_per": "hour"}, "gate_per"),
        ({"boundary": "open"}, "boundary"),
        ({"budget": 0.0}, "positive"),
    ],
)
def test_conv_coupling_refuses_what_it_cannot_do(flags: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ConvCoupling(2, torch.nn.Identity(), **flags)  # type: ignore[arg-type]


def test_scales_and_kernels_keep_their_bounds() -> None:
    flags = {"boundary": "symmetric", "taps": 4, "budget": 0.5, "max_log_scale": 0.7}
    layer = coupling(ConvCoupling, 2, **flags).double()
    perturb(layer, scale=20.0)
    matrix, _ = jacobian(layer, torch.randn(2, 12, dtype=torch.float64), {})
    logs = torch.linalg.svdvals(matrix[12:, 12:]).log()
    assert logs.abs().max() <= 0.5 + 0.7 + 1e-9
    assert logs.abs().max() > 0.3


def test_kernels_differ_between_examples_and_not_with_the_changed_part() -> None:
    layer = coupling(ConvCoupling, 2, scale_shift=False, taps=3).double()
    perturb(layer, scale=1.0)
    x = torch.randn(2, 2, 16, dtype=torch.float64)
    log_det = layer(x)[1]
    assert (log_det[0] - log_det[1]).abs() > 1e-3
    other = torch.cat((x[:, :1], torch.randn_like(x[:, :1])), dim=1)
    assert torch.equal(layer(other)[1], log_det)


def test_the_order_of_the_parts_matters() -> None:
    orders = [("conv", "scale_shift", "gate"), ("gate", "scale_shift", "conv")]
    torch.manual_seed(0)
    layers = [coupling(ConvCoupling, 2, order=order, gate="piecewise").double() for order in orders]
    perturb(layers[0])
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(1, 2, 16, dtype=torch.float64)
    assert (layers[0](x)[0] - layers[1](x)[0]).abs().max() > 1e-3


def test_shares_of_a_coupling_are_exact_per_step() -> None:
    layer = coupling(ConvCoupling, 3, conv=False, gate="piecewise").double()
    perturb(layer)
    x = torch.randn(3, 10, dtype=torch.float64)
    matrix, _ = jacobian(layer, x, {})
    _, share = layer.local(x.unsqueeze(0))
    expected = matrix.diagonal().reshape(3, 10).log().sum(0)
    assert torch.allclose(share[0], expected, atol=1e-12)


def rational_quadratic(x: float, xs: list[float], ys: list[float], slopes: list[float]) -> float:
    """Gregory and Delbourgo's interpolant in their own terms (their eq. 2.7), one number at a time."""
    if not xs[0] < x < xs[-1]:
        return x
    i = bisect_right(xs, x) - 1
    h = xs[i + 1] - xs[i]
    theta = (x - xs[i]) / h
    mean = (ys[i + 1] - ys[i]) / h
    p = (
        ys[i + 1] * theta**2
        + (ys[i] * slopes[i + 1] + ys[i + 1] * slopes[i]) / mean * theta * (1 - theta)
        + ys[i] * (1 - theta) ** 2
    )
    q = theta**2 + (slopes[i + 1] + slopes[i]) / mean * theta * (1 - theta) + (1 - theta) ** 2
    return p / q


@pytest.mark.parametrize("bins", [2, 5, 8])
def test_the_spline_against_its_definition(bins: int) -> None:
    raw = torch.randn(3 * bins - 1, dtype=torch.float64, generator=torch.Generator().manual_seed(bins))
    spline = spline_from(raw, bins, 3.0, 2.0)
    xs, ys, slopes = (part.tolist() for part in spline)
    assert xs[0] == ys[0] == -3.0
    assert xs[-1] == ys[-1] == 3.0
    assert slopes[0] == slopes[-1] == 1.0
    x = torch.cat((torch.linspace(-4, 4, 161, dtype=torch.float64), spline.x))
    y, log_slope = spline_forward(x, spline)
    expected = [rational_quadratic(v, xs, ys, slopes) for v in x.tolist()]
    assert (y - torch.tensor(expected, dtype=torch.float64)).abs().max() < 1e-12
    assert (y[1:161] > y[:160]).all()
    step = 1e-6
    rise = (spline_forward(x + step, spline)[0] - spline_forward(x - step, spline)[0]) / (2.0 * step)
    assert (rise.log() - log_slope).abs().max() < 1e-4
    back, log_back = spline_inverse(y, spline)
    assert (back - x).abs().max() < 1e-12
    assert (log_back + log_slope).abs().max() < 1e-10


def test_the_spline_is_the_identity_in_its_tails() -> None:
    layer = coupling(SplineCoupling, 2, bound=2.0)
    perturb(layer)
    x = torch.full((1, 2, 8), 50.0)
    y, log_det = layer(x)
    assert torch.equal(y, x)
    assert log_det.tolist() == [0.0]


def test_splines_refuse_too_few_bins() -> None:
    with pytest.raises(ValueError, match="bins"):
        SplineCoupling(2, torch.nn.Identity(), bins=1)
