"""Layers that move samples between time and channels: layout, shapes and shares."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqflow.bijections import ActNorm, Chain, Gate, Inverse, MultiScale, Squeeze
from seqflow.bijections.resolution import at_resolution, input_shape


def counted(channels: int, length: int) -> Tensor:
    """One window whose sample t of channel c is 100·c + t."""
    return (100 * torch.arange(channels)[:, None] + torch.arange(length)).unsqueeze(0).double()


def test_squeeze_is_phase_major() -> None:
    y, _ = Squeeze(2)(counted(2, 6))
    assert y[0].tolist() == [[0, 2, 4], [100, 102, 104], [1, 3, 5], [101, 103, 105]]


def test_squeeze_refuses_a_length_that_does_not_divide() -> None:
    with pytest.raises(ValueError, match="multiple"):
        Squeeze(2).output_shape(1, 7)
    with pytest.raises(ValueError, match="multiple"):
        Squeeze(2)(counted(1, 7))


def test_multi_scale_layout() -> None:
    scales = MultiScale([Squeeze(2), Squeeze(2), Squeeze(1)])
    y, log_det = scales(counted(1, 8))
    # Odd samples leave at once and are squeezed once more; of the even ones every second leaves next.
    assert y[0].tolist() == [[1, 5], [3, 7], [2, 6], [0, 4]]
    assert log_det.tolist() == [0.0]
    assert scales.output_shape(1, 8) == (4, 2)
    assert torch.equal(scales.inverse(y)[0], counted(1, 8))


def test_multi_scale_keeps_time_aligned() -> None:
    scales = MultiScale([Chain([Squeeze(2), Gate(6)]), Squeeze(2), Squeeze(2)])
    x = counted(3, 32)
    before, _ = scales(x)
    for t in (0, 9, 31):
        moved = x.clone()
        moved[..., t] += 1.0
        changed = (scales(moved)[0] != before).any(1)[0]
        assert changed.nonzero().flatten().tolist() == [t // 8]


def test_multi_scale_with_odd_channels_sends_the_larger_part_on() -> None:
    y, _ = MultiScale([Squeeze(1), Squeeze(1)])(counted(3, 2))
    assert y[0, :, 0].tolist() == [200, 0, 100]


def test_multi_scale_starts_each_level_on_what_reaches_it() -> None:
    scales = MultiScale([Chain([Squeeze(2), ActNorm(2)]), ActNorm(1)])
    x = 5.0 + 3.0 * torch.randn(64, 1, 32)
    y = scales.initialize(x)
    assert y.mean(dim=(0, 2)).abs().max() < 1e-4
    assert (y.std(dim=(0, 2)) - 1.0).abs().max() < 1e-2


def test_multi_scale_refuses_one_channel_and_no_level() -> None:
    with pytest.raises(ValueError, match="one channel"):
        MultiScale([Squeeze(1), Squeeze(1)]).output_shape(1, 4)
    with pytest.raises(ValueError, match="level"):
        MultiScale([])
    with pytest.raises(ValueError, match="gives no output"):
        MultiScale([Squeeze(2), Squeeze(2)]).inverse(torch.zeros(1, 3, 4))


def test_shares_move_between_resolutions() -> None:
    share = torch.arange(6.0).unsqueeze(0)
    assert at_resolution(share, 3).tolist() == [[1.0, 5.0, 9.0]]
    assert at_resolution(share, 12)[0, :4].tolist() == [0.0, 0.0, 0.5, 0.5]
    with pytest.raises(ValueError, match="divide"):
        at_resolution(share, 4)


def test_local_shares_of_a_chain_are_exact_where_its_layers_are() -> None:
    torch.manual_seed(0)
    gate, coarse = Gate(1).double(), Gate(4).double()
    for layer in (gate, coarse):
        torch.nn.init.normal_(layer.raw)
    x = torch.randn(2, 1, 16, dtype=torch.float64)
    y, share = Chain([gate, Squeeze(4), coarse]).local(x)
    first, fine = gate.local(x)
    second, own = coarse.local(Squeeze(4)(first)[0])
    assert torch.equal(y, second)
    assert torch.allclose(share, fine.reshape(2, 4, 4).sum(-1) + own)
    back, minus = Inverse(Chain([gate, Squeeze(4)])).local(Squeeze(4)(first)[0])
    assert torch.allclose(back, x)
    assert torch.allclose(minus, -fine.reshape(2, 4, 4).mean(-1).repeat_interleave(4, -1))


def test_the_shape_going_in_follows_from_the_shape_coming_out() -> None:
    assert input_shape(Squeeze(3), 6, 5) == (2, 15)
    assert Inverse(Squeeze(3)).output_shape(6, 5) == (2, 15)
    assert Inverse(Inverse(Squeeze(3))).output_shape(2, 15) == (6, 5)
    with pytest.raises(ValueError, match="gives no output"):
        input_shape(Squeeze(3), 4, 5)
