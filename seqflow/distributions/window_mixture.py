"""A mixture over whole windows: the shapes that they take, with one symmetric convolution about them all.

Shapes: z is (B, C·f, L/f), as f-fold squeezes leave windows (B, C, L); coefficients (C, L), DCT-II.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..mixture import Mixture, fit_mixture
from ..ops.dct import dct2, dct3
from ..ops.shapes import full_precision, squeeze, unsqueeze
from .base import Base
from .independent import draw_student

_LOG_2PI = math.log(2.0 * math.pi)
# Rounds of EM: the means hardly move after a few.
_ROUNDS = 8
# Least deviation of a coefficient relative to their root mean square.
_LEAST = 1e-4


class WindowMixture(Base):
    """log p(z) = log Σ_k w_k N(u; m_k, diag(s²)),  u the DCT-II of each channel of the window.

    A covariance that is diagonal in this basis is a symmetric convolution of white noise; all components
    share it. The level of a channel, its coefficient 0, has one mean for all: windows differ in shape, and
    where their level wanders too, that tells nothing of the component.

    The density belongs to the window as a whole. `log_prob` shares it out: with r_k = p(k | z), and e_k the
    samples of (u - m_k)/s in time,

        share of a sample = Σ_k r_k log N(e_k; 0, 1) + (Σ_k r_k log(w_k/r_k) - Σ log s)/(C·L),

    the mean over the components of how well the sample fits them, and the rest evenly; log p = log w_k +
    log N_k - log r_k for every k, so the shares sum to it exactly. No share is a density of its own.

    With `freedom` the e_k are Student's t in place of normal, each sample by itself: white noise with heavy
    tails. Memory and time then grow like K·C·L a window, where Gaussians take K + C·L.

    Sequences of several windows are as many independent windows. Gaussians are computed in float64.

    Args:
        channels: of the noise, C·f.
        length: L, samples of a window.
        components: K.
        factor: f, steps that became channels. Layers that mix channels leave no order of time: what the
            basis sees then are no frequencies, though the density is one all the same.
        examples: windows that it is fitted to, at most.
        seed: of k-means.
        freedom: degrees of freedom of Student's t at the start, above 2; trained. None for Gaussians.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        components: int = 64,
        *,
        factor: int = 1,
        examples: int = 6_000,
        seed: int = 0,
        freedom: float | None = None,
    ) -> None:
        super().__init__(channels)
        if components < 1 or length < 2:
            raise ValueError(f"need components and at least two samples, got {components} and {length}")
        if factor < 1 or channels % factor or length % factor:
            raise ValueError(f"{channels} channels and {length} samples are no multiples of {factor}")
        self.length = length
        self.factor = factor
        self.block = length // factor
        self.examples = examples
        self.seed = seed
        own = channels // factor
        self.logits = nn.Parameter(torch.zeros(components))
        self.log_scale = nn.Parameter(torch.zeros(own, length))
        # In deviations: a learning rate then means the same for strong and weak coefficients.
        self.level = nn.Parameter(torch.zeros(own, 1))
        self.means = nn.Parameter(torch.zeros(components, own, length - 1))
        self.raw_freedom: nn.Parameter | None = None
        if freedom is not None:
            if freedom <= 2.0:
                raise ValueError(f"degrees of freedom must be above 2 for a finite variance, got {freedom}")
            self.raw_freedom = nn.Parameter(torch.tensor(math.log(math.expm1(freedom - 2.0))))

    def log_prob(self, z: Tensor) -> Tensor:
        """Shares of the log-density (B, C·f, T), nats, whose sum over a window is its log-density."""
        with full_precision(z.device.type):
            blocks = self._blocks(z.double())
            whole = (dct2(blocks) * torch.exp(-self.log_scale.double())).flatten(1)
            places, log_weights = self._places(), self._log_weights()
            e, means = self._in_time(whole), self._in_time(places)
            if self.raw_freedom is None:
                products = whole.square().sum(1, keepdim=True) - 2.0 * whole @ places.T
                log_r = torch.log_softmax(log_weights - 0.5 * (products + places.square().sum(1)), 1)
                r = log_r.exp()
                square = e.square() - 2.0 * e * _mean(r, means) + _mean(r, means.square())
                fit = -0.5 * (square + _LOG_2PI)
            else:
                parts = _student(e.to(z.dtype).unsqueeze(1) - means.to(z.dtype), self._freedom(z.dtype))
                log_r = torch.log_softmax(log_weights + parts.flatten(2).sum(-1, dtype=torch.float64), 1)
                r = log_r.exp()
                fit = torch.einsum("nk,nkcl->ncl", r.to(z.dtype), parts)
            rest = (r * (log_weights - log_r)).sum(1) - self.log_scale.double().sum()
            share = fit + rest.reshape(-1, 1, 1) / whole.shape[1]
            return self._joined(share, z).to(z.dtype)

    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw (n, C·f, length): a component for each window, then noise about it."""
        blocks, own = length // self.block, self.channels // self.factor
        shape = n * blocks, own, self.length
        if self.raw_freedom is None:
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        else:
            noise = dct2(draw_student(shape, self._freedom(torch.float64).detach().cpu(), generator))
        u = torch.rand(n * blocks, generator=generator, dtype=torch.float64)
        edges = self._log_weights().detach().cpu().exp().cumsum(0)[:-1]
        index = torch.searchsorted(edges, u).to(self.logits.device)
        with torch.no_grad():
            whole = self._places()[index] + temperature * noise.flatten(1).to(self.logits.device)
            scale = torch.exp(self.log_scale.double())
            windows = dct3(torch.unflatten(whole, 1, (own, self.length)) * scale)
        z = windows.reshape(n, blocks, own, self.length).transpose(1, 2).flatten(2)
        return squeeze(z, self.factor).to(self.logits)

    @torch.no_grad()
    def initialize(self, z: Tensor) -> None:
        """k-means and EM on the shapes of windows z (B, C·f, T), the Gaussian of their levels beside them.

        Components that the windows do not fill stay at the mean of all, with hardly any weight.
        """
        u = dct2(self._blocks(z.double())).cpu()
        shapes = u[..., 1:].flatten(1).numpy()
        found = fit_mixture(shapes, len(self.logits), rounds=_ROUNDS, floor=0.0, seed=self.seed)
        self.set_mixture(found, u[..., :1].mean(0), u[..., :1].std(0, correction=0))

    @torch.no_grad()
    def set_mixture(self, found: Mixture, level: Tensor, spread: Tensor) -> None:
        """Take over at most K Gaussians, of the coefficients 1 to L - 1 of all channels in a row.

        `level` and `spread` (C, 1) are mean and deviation of the coefficients 0.
        """
        scale = torch.unflatten(torch.from_numpy(found.variances).sqrt(), 0, self.means.shape[1:])
        scale = torch.cat((spread, scale), -1)
        # Coefficients that never move would have any density.
        least = _LEAST * scale.square().mean().sqrt()
        scale = scale.clamp(min=float(least) or 1.0)
        means = torch.from_numpy(found.weights @ found.means).repeat(len(self.logits), 1)
        means[: len(found.means)] = torch.from_numpy(found.means)
        logits = torch.full((len(self.logits),), math.log(1e-6), dtype=torch.float64)
        logits[: len(found.weights)] = torch.from_numpy(found.weights).log()
        if self.raw_freedom is not None:
            # Deviation sqrt(ν/(ν - 2)) of a Student's t of scale 1.
            nu = self._freedom(torch.float64).to(scale.device)
            scale = scale * torch.sqrt((nu - 2.0) / nu)
        self.log_scale.copy_(scale.log())
        self.level.copy_(level / scale[:, :1])
        self.means.copy_(torch.unflatten(means, 1, self.means.shape[1:]) / scale[:, 1:])
        self.logits.copy_(logits)

    def _freedom(self, dtype: torch.dtype) -> Tensor:
        assert self.raw_freedom is not None
        return 2.0 + F.softplus(self.raw_freedom.to(dtype))

    def _places(self) -> Tensor:
        """Means in deviations (K, C·L)."""
        level = self.level.double().expand(len(self.logits), -1, -1)
        return torch.cat((level, self.means.double()), -1).flatten(1)

    def _log_weights(self) -> Tensor:
        return torch.log_softmax(self.logits.double(), 0)

    def _in_time(self, whole: Tensor) -> Tensor:
        """Coefficients (N, C·L) as samples (N, C, L)."""
        return dct3(torch.unflatten(whole, 1, (self.channels // self.factor, self.length)))

    def _blocks(self, z: Tensor) -> Tensor:
        """Noise (B, C·f, n·L/f) as windows (B·n, C, L)."""
        if z.shape[-1] % self.block:
            raise ValueError(f"{z.shape[-1]} steps of noise are no windows of {self.block}")
        x = unsqueeze(z, self.factor)
        return x.reshape(x.shape[0], x.shape[1], -1, self.length).transpose(1, 2).flatten(0, 1)

    def _joined(self, windows: Tensor, like: Tensor) -> Tensor:
        """Windows (B·n, C, L) as noise of the shape of `like`."""
        x = windows.reshape(like.shape[0], -1, *windows.shape[1:]).transpose(1, 2).flatten(2)
        return squeeze(x, self.factor)


def _student(e: Tensor, nu: Tensor) -> Tensor:
    """Log-density of Student's t of scale 1, elementwise."""
    constant = torch.lgamma(0.5 * (nu + 1.0)) - torch.lgamma(0.5 * nu) - 0.5 * torch.log(nu * math.pi)
    return constant - 0.5 * (nu + 1.0) * torch.log1p(e.square() / nu)


def _mean(r: Tensor, values: Tensor) -> Tensor:
    """Mean of values (K, C, L) by r (B, K)."""
    return torch.unflatten(r @ values.flatten(1), 1, values.shape[1:])
