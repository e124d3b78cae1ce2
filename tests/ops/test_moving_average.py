"""The moving average against pooling, its gradient, and its accuracy beside loud samples."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from seqflow.ops.moving_average import moving_averages


@pytest.mark.parametrize("steps", [1, 2, 5, 64, 127])
@pytest.mark.parametrize("length", [1, 3, 5, 9, 17, 33, 65])
def test_it_is_that_of_pooling(length: int, steps: int) -> None:
    x = torch.randn(3, 2, steps, dtype=torch.float64, generator=torch.Generator().manual_seed(length))
    expected = F.avg_pool1d(x, length, stride=1, padding=length // 2, count_include_pad=False)
    torch.testing.assert_close(moving_averages(x, (length,)), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("length", [3, 65])
def test_gradients(length: int) -> None:
    x = torch.randn(1, 2, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: moving_averages(y, (length,)), (x,))
    assert torch.autograd.gradgradcheck(lambda y: moving_averages(y, (length,)).square(), (x,))


def test_several_are_those_of_each() -> None:
    x = torch.randn(2, 3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    lengths = (9, 1, 33, 3)
    each = torch.cat([moving_averages(x, (length,)) for length in lengths], 1)
    assert torch.equal(moving_averages(x, lengths), each)
    x = x[:1, :, :7].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: moving_averages(y, lengths), (x,))
    assert torch.autograd.gradgradcheck(lambda y: moving_averages(y, lengths).square(), (x,))


def test_what_is_loud_leaves_no_trace_beside_it() -> None:
    x = torch.full((1, 1, 1000), 1e-6)
    x[..., :400] = 1e6
    assert (moving_averages(x, (65,))[..., 433:] - 1e-6).abs().max() < 1e-12
