"""The conditioner: what it computes, what it sees of quiet signals, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqflow.networks import ConvConditioner


def randomized(**options: object) -> ConvConditioner:
    torch.manual_seed(0)
    net = ConvConditioner(2, 3, 4, hidden=6, layers=2, kernel=3, skip_kernel=5, **options).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("normalized", [True, False])
def test_the_network_is_what_its_layers_say(gated: bool, normalized: bool) -> None:
    net = randomized(gated=gated, normalized=normalized, level_scales=(1, 5))
    x = torch.randn(2, 2, 31, dtype=torch.float64)
    pointwise, pooled = net(x)
    power = [x.square(), F.avg_pool1d(x.square(), 5, 1, 2, count_include_pad=False)]
    levels = [0.5 * torch.log(p + 1e-4) for p in power]
    features = torch.cat([x, *levels, *([x / levels[1].exp()] if normalized else [])], 1)
    h = net.enter(features)
    for block, mix in zip(net.blocks, net.mixes, strict=True):
        inner = block(h)
        if gated:
            a, b = inner.chunk(2, 1)
            h = h + mix(F.silu(a) * torch.sigmoid(b))
        else:
            h = h + mix(F.silu(inner))
    assert net.skip is not None
    assert net.pooled_head is not None
    assert (net.head(F.silu(h)) + net.skip(features) - pointwise).abs().max() < 1e-12
    summary = torch.cat([F.silu(h).mean(-1), *(level.mean(-1) for level in levels)], 1)
    assert (net.pooled_head(summary) - pooled).abs().max() < 1e-12


def test_it_starts_at_zero_and_may_do_without_everything() -> None:
    net = ConvConditioner(1, 2, level_scales=(), skip_kernel=0, layers=0)
    pointwise, pooled = net(torch.randn(3, 1, 8))
    assert pointwise.shape == (3, 2, 8)
    assert pooled.shape == (3, 0)
    assert pointwise.abs().max() == 0


@pytest.mark.parametrize("gated", [True, False])
def test_what_is_written_over_without_gradients_is_nobody_elses(gated: bool) -> None:
    net = randomized(gated=gated, normalized=True, level_scales=(1, 5), cepstrum=4, clock=2)
    x, span = torch.randn(3, 2, 31, dtype=torch.float64), torch.tensor([[0.0, 1.0]])
    kept = [value.clone() for value in (x, span, *net.parameters())]
    expected = net(x, None, span)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            found = net(x, None, span)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(torch.equal(a, b) for a, b in zip((x, span, *net.parameters()), kept, strict=True))


@pytest.mark.parametrize("gated", [True, False])
def test_a_condition_scales_and_shifts_every_block_and_moves_the_parameters(gated: bool) -> None:
    net = randomized(gated=gated, condition_size=3)
    assert net.modulate is not None and net.offset is not None and net.skip is not None
    x = torch.randn(2, 2, 31, dtype=torch.float64)
    condition = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    pointwise, pooled = net(x, condition)
    levels = net._levels(x)
    features = torch.cat([x, levels], 1)
    h = net.enter(features)
    films = net.modulate(condition).unsqueeze(-1).chunk(2, dim=1)
    for block, mix, film in zip(net.blocks, net.mixes, films, strict=True):
        scale, shift = film.chunk(2, dim=1)
        inner = block(h) * (1.0 + scale) + shift
        a, b = inner.chunk(2, 1) if gated else (inner, torch.full((), torch.inf))
        h = h + mix(F.silu(a) * torch.sigmoid(b))
    offset = net.offset(condition)
    expected = net.head(F.silu(h)) + net.skip(features) + offset[:, :3, None]
    assert (expected - pointwise).abs().max() < 1e-12
    # Zeros are the network without a condition.
    plain, plain_pooled = net(x)
    assert torch.equal(plain[1], pointwise[1]) and torch.equal(plain_pooled[1], pooled[1])
    assert (plain[0] - pointwise[0]).abs().max() > 0.1 and (plain_pooled[0] - pooled[0]).abs().max() > 0.1


def test_a_condition_has_no_effect_before_training_and_a_gradient_from_the_first_step() -> None:
    for layers in (0, 2):
        net = ConvConditioner(1, 2, 1, layers=layers, condition_size=3)
        pointwise, pooled = net(torch.randn(4, 1, 8), torch.eye(3)[[0, 1, 2, 0]])
        assert pointwise.abs().max() == 0 and pooled.abs().max() == 0
        assert net.offset is not None
        (pointwise.sum() + pooled.sum()).backward()
        assert net.offset.weight.grad is not None and bool((net.offset.weight.grad != 0).all())


def test_a_condition_that_it_was_not_made_for() -> None:
    with pytest.raises(ValueError, match="takes no condition"):
        ConvConditioner(1, 1)(torch.zeros(1, 1, 8), torch.zeros(1, 2))


def test_the_normalized_copy_shows_the_shape_of_a_quiet_signal() -> None:
    net = ConvConditioner(1, 1, level_scales=(1, 17), normalized=True)
    x = torch.sin(0.7 * torch.arange(200.0)).view(1, 1, -1)
    loud, quiet = (net._normalized(a * x, net._levels(a * x))[0] for a in (1.0, 0.1))
    assert (loud - quiet).abs().max() < 0.03
    assert quiet.abs().max() > 1.0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kernel": 4}, "kernel"),
        ({"skip_kernel": 2}, "skip_kernel"),
        ({"level_scales": (2,)}, "level_scales"),
        ({"level_scales": (), "normalized": True}, "level_scales"),
    ],
)
def test_it_refuses(options: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ConvConditioner(1, 1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [31, 32, 9])
def test_pooled_parameters_are_linear_in_the_cepstrum(length: int) -> None:
    net = randomized(cepstrum=8, level_scales=(1, 5))
    x = torch.randn(2, 2, length, dtype=torch.float64)
    assert net.pooled_head is not None
    without = net.pooled_head.weight[:, : 6 + 2 * 2]
    weight = net.pooled_head.weight[:, 6 + 2 * 2 :]
    plain = randomized(level_scales=(1, 5))
    plain.load_state_dict({**net.state_dict(), "pooled_head.weight": without})
    log_power = np.log(np.abs(np.fft.fft(x.numpy(), norm="ortho")) ** 2 + 1e-4)
    lags = np.fft.ifft(0.5 * log_power).real[..., :8]
    lags[..., length // 2 + 1 :] = 0.0
    pointwise, pooled = net(x)
    expected = plain(x)[1] + torch.from_numpy(lags).flatten(1) @ weight.T
    assert (pooled - expected).abs().max() < 1e-12
    assert torch.equal(pointwise, plain(x)[0])


def test_a_cepstrum_needs_a_kernel_for_the_window() -> None:
    with pytest.raises(ValueError, match="there is none"):
        ConvConditioner(1, 2, cepstrum=8)
