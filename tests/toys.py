"""Small models for tests: built and set up from made-up data, not trained."""

from __future__ import annotations

import numpy as np
import torch

from seqflow.build import build_flow
from seqflow.data.synthetic import make_recordings
from seqflow.model import Model
from seqflow.recipe import load
from seqflow.recipe.data import SyntheticData


def toy_model(name: str = "toy/sine", *overrides: str) -> Model:
    """A model of a synthetic recipe with the scales of its data, and noise on its weights."""
    recipe = load(name, overrides)
    assert isinstance(recipe.data, SyntheticData)
    recordings = make_recordings(recipe.data)
    first = recordings[0]
    flow = build_flow(recipe, first.channels, first.rate, first.step)
    window = recipe.data.window
    values = np.stack([one.read(0, window).values for one in recordings])
    step = first.step or 0.0
    context = {
        "step": torch.full((len(values),), step),
        "position": torch.zeros(len(values), dtype=torch.int64),
    }
    flow.initialize(torch.from_numpy(values), context)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            # Couplings start as the identity: without this there would be little to test.
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return Model(flow.eval(), recipe, None, first.channel_names, first.rate, first.step, {"steps": 0})
