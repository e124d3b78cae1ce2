"""Layers on frequencies: they get the cosine transform of a frame, and lines in it come out level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import coupling, perturb
from scipy import fft, special

from seqflow.bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    CircularConv,
    Context,
    Spectrum,
    Squeeze,
    coupling_sizes,
)
from seqflow.networks import ConvConditioner


class Heard(Bijection):
    """The identity, which keeps what it was given."""

    def forward(self, x: torch.Tensor, context: Context | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        self.x, self.context = x, dict(context or {})
        return x, x.new_zeros(len(x))

    def inverse(self, z: torch.Tensor, context: Context | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        return self.forward(z, context)


def test_the_layers_get_the_cosine_transform_of_every_frame() -> None:
    heard = Heard()
    x = torch.randn(2, 3, 15, dtype=torch.float64)
    condition = torch.arange(4.0, dtype=torch.float64).reshape(2, 2)
    Spectrum([heard], 5)(x, {"condition": condition, "span": torch.full((2, 2), 0.5)})
    expected = fft.dct(np.concatenate(np.split(x.numpy(), 3, -1)), norm="ortho")
    # Frames of a window lie side by side.
    expected = expected.reshape(3, 2, 3, 5).swapaxes(0, 1).reshape(6, 3, 5)
    assert np.abs(heard.x.numpy() - expected).max() < 1e-12
    # All have the condition of their window; the place that counts is in the spectrum.
    assert torch.equal(heard.context["condition"], condition.repeat_interleave(3, 0))
    assert torch.equal(heard.context["span"], torch.tensor([[0.0, 1.0]], dtype=torch.float64))


def test_channels_of_a_group_are_transformed_as_the_one_they_were() -> None:
    whole, single = Heard(), Heard()
    x = torch.randn(2, 1, 24, dtype=torch.float64)
    other = torch.randn(2, 1, 8, dtype=torch.float64)
    squeezed = Squeeze(3)(x)[0]
    Spectrum([whole, single], groups=(3, 1))(torch.cat((squeezed, other), 1))
    assert np.abs(whole.x.numpy() - fft.dct(x.numpy(), norm="ortho")).max() < 1e-12
    assert np.abs(single.x.numpy() - fft.dct(other.numpy(), norm="ortho")).max() < 1e-12


def test_frames_are_mapped_one_by_one_and_the_rest_by_itself() -> None:
    torch.manual_seed(0)
    layer = Spectrum([Chain([ActNorm(2), coupling(AffineCoupling, 2)])], 6).double()
    perturb(layer)
    x = torch.randn(3, 2, 16, dtype=torch.float64)
    y, shares = layer.local(x)
    for start, end in ((0, 6), (6, 12), (12, 16)):
        alone, log_det = layer(x[..., start:end])
        assert (y[..., start:end] - alone).abs().max() < 1e-12
        assert (shares[:, start:end].sum(1) - log_det).abs().max() < 1e-12


def lines(windows: int, length: int) -> torch.Tensor:
    """Noise whose spectrum has teeth a tenth of the band apart, at a place of its own in every window."""
    rng = np.random.default_rng(7)
    level = np.cos(2.0 * np.pi * (10.0 * np.arange(length) / length + rng.random((windows, 1))))
    coefficients = np.exp(1.2 * level) * rng.standard_normal((windows, length)) / np.sqrt(special.i0(2.4))
    return torch.from_numpy(fft.idct(coefficients, norm="ortho")).unsqueeze(1).float()


def test_couplings_learn_lines_that_are_elsewhere_in_every_window() -> None:
    """A static filter has nothing to say here: the spectrum is flat on average."""
    torch.manual_seed(0)
    x, held_out = lines(256, 128), lines(512, 128)[256:]

    def half(swap: bool) -> AffineCoupling:
        counts = AffineCoupling.parameter_counts(2, swap=swap)
        untouched = coupling_sizes(2, swap)[0]
        network = ConvConditioner(untouched, *counts, hidden=8, layers=1, skip_kernel=9, level_scales=(1, 3))
        return AffineCoupling(2, network, swap=swap)

    def nats(layer: Bijection, x: torch.Tensor) -> torch.Tensor:
        y, log_det = layer(x)
        mean: torch.Tensor = (0.5 * y.square().mean((1, 2)) - log_det / x.shape[-1]).mean()
        return mean

    layer = Spectrum([Chain([Squeeze(2), half(True), half(False)])])
    static = CircularConv(1, 32, budget=2.0)
    found = {}
    for name, model in (("lines", layer), ("static", static)):
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
        for _ in range(80):
            optimizer.zero_grad()
            torch.autograd.backward(nats(model, x))
            optimizer.step()
        with torch.no_grad():
            found[name] = float(nats(model, held_out))
    # White on average: who knew all levels would gain log I0(2.4)/2, 0.56 nats.
    assert found["static"] == pytest.approx(0.5, abs=0.02)
    assert found["lines"] < found["static"] - 0.15


def test_it_starts_on_frames_of_whole_length() -> None:
    x = torch.randn(64, 1, 20) * torch.tensor([3.0] * 16 + [100.0] * 4)
    layer = Spectrum([ActNorm(1)], 8)
    y = layer.initialize(x)
    assert y[..., :16].std() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(y, layer(x)[0])


def test_it_refuses_what_it_cannot_map() -> None:
    squeezed = Chain([Squeeze(4), coupling(AffineCoupling, 4)])
    with pytest.raises(ValueError, match="positive"):
        Spectrum([Heard()], 0)
    with pytest.raises(ValueError, match="1 chains of layers for 2 groups"):
        Spectrum([Heard()], groups=(1, 1))
    with pytest.raises(ValueError, match="do not share out 3 channels"):
        Spectrum([Heard(), Heard()], groups=(1, 1)).output_shape(3, 8)
    with pytest.raises(ValueError, match="length 6 is not a multiple"):
        Spectrum([squeezed], 6).output_shape(1, 20)


def test_what_cannot_be_squeezed_of_a_short_frame_stays() -> None:
    torch.manual_seed(0)
    layer = Spectrum([Chain([Squeeze(4), coupling(AffineCoupling, 4)])], 8).double()
    perturb(layer)
    x = torch.randn(2, 1, 23, dtype=torch.float64)
    assert layer.output_shape(1, 23) == (1, 23)
    y, log_det = layer(x)
    whole, expected = layer(x[..., :20])
    assert torch.equal(y[..., 20:], x[..., 20:]) and not torch.equal(y[..., 16:20], x[..., 16:20])
    assert (y[..., :20] - whole).abs().max() < 1e-12 and (log_det - expected).abs().max() < 1e-12
    assert torch.equal(layer.initialize(x[..., :3]), x[..., :3])
