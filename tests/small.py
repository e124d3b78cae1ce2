"""A small flow with random couplings and the noise it is a model of, for tests of what stands above flows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from cases import coupling, perturb
from numpy.typing import NDArray
from scipy.signal import lfilter

from seqflow.bijections import ActNorm, Chain, ConvCoupling, Squeeze, Standardize, Whitening
from seqflow.build import build_flow
from seqflow.data.recording import ArrayRecording, Block
from seqflow.distributions import Normal
from seqflow.flow import Flow
from seqflow.model import Model
from seqflow.recipe import parse
from seqflow.scoring import Background, calibrate
from seqflow.scoring.terms import NAMES

Array = NDArray[np.float64]
WINDOW = 32
TERMS = tuple(name for name in NAMES if name != "ratio")
"""All that ask for no second model."""


def noise(seed: int, length: int = 640, channels: int = 1) -> Array:
    """First-order autoregressive noise (C, T), unit variance."""
    white = np.random.default_rng(seed).standard_normal((channels, length + 50))
    return np.asarray(lfilter([0.6], [1.0, -0.8], white)[:, 50:])


def small_flow(channels: int = 1, rate: float | None = None) -> Flow:
    """Standardisation, whitening, squeeze and one random convolutional coupling, fitted to `noise`."""
    torch.manual_seed(0)
    mixing = coupling(ConvCoupling, 2 * channels, taps=3)
    perturb(mixing, 0.05)
    layers = [Standardize(channels), Whitening(channels, 8), Squeeze(2), mixing, ActNorm(2 * channels)]
    flow = Flow(Chain(layers), Normal(2 * channels), channels, rate=rate)
    windows = np.stack([noise(1000 + i, WINDOW, channels) for i in range(64)])
    flow.initialize(torch.from_numpy(windows).float())
    return flow.eval()


def small_background(channels: int = 1, rate: float | None = None) -> Background:
    """White noise of variance 4 as a model that others are compared with."""
    flow = Flow(Chain([Standardize(channels)]), Normal(channels), channels, rate=rate)
    flow.initialize(2.0 * torch.randn(64, channels, WINDOW, generator=torch.Generator().manual_seed(0)))
    text = f"name: white\ndata: {{kind: series, root: ., window: {WINDOW}}}\n"
    recipe = parse(text + "model: {layers: [kind: standardize]}", "white.yaml")
    return Background(flow.eval(), recipe)


def recording(values: Array, name: str = "x", **keys: object) -> ArrayRecording:
    """The array as a recording."""
    return ArrayRecording(values, name=name, **keys)  # type: ignore[arg-type]


class CutRecording(ArrayRecording):
    """Hands its samples out in blocks of the given lengths, whatever is asked for."""

    def __init__(self, values: Array, cuts: list[int], **keys: object) -> None:
        super().__init__(values, **keys)  # type: ignore[arg-type]
        self.cuts = cuts

    def blocks(self, frames: int) -> Iterator[Block]:
        start, turn = 0, 0
        while start < self.length:
            n = self.cuts[turn % len(self.cuts)]
            block = self.read(start, n)
            yield block
            start, turn = start + n, turn + 1


RECIPE = """
name: small
data: {{kind: {kind}, root: ., window: 32, rate: {rate}}}
model:
  layers:
    - kind: standardize
    - {{kind: whitening, taps: 8}}
    - kind: squeeze
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, kernel: 3}}}}
score: {{smoothing: [1, 8]}}
"""


def small_model(kind: str = "audio", rate: float | None = 8000.0, recordings: int = 40) -> Model:
    """A model of `noise` at a tenth of full scale, calibrated on so many recordings; without any where 0."""
    torch.manual_seed(0)
    recipe = parse(RECIPE.format(kind=kind, rate="null" if rate is None else rate), "small.yaml")
    flow = build_flow(recipe, 1, rate, None)
    flow.initialize(torch.from_numpy(np.stack([0.1 * noise(1000 + i, WINDOW) for i in range(64)])).float())
    held = [recording(0.1 * noise(i), f"c{i}", rate=rate, kind=kind) for i in range(recordings)]
    fitted = calibrate(flow.eval(), held, recipe.score, window=WINDOW) if held else None
    return Model(flow, recipe, fitted, rate=rate)
