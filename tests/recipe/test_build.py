"""What the layers of a recipe become, and what is said of those that do not fit."""

from __future__ import annotations

import pytest
import torch

from seqflow.bijections import Spectrum
from seqflow.build import build_flow
from seqflow.errors import RecipeError
from seqflow.recipe import parse

RECIPE = """
name: test/spectrum
data: {{kind: series, root: none, window: 32, channels: all}}
model:
  clock: 3
  layers:
    - {{kind: dequantize}}
    - kind: spectrum
      frame: 16
      groups: {groups}
      layers:
        - {{kind: squeeze}}
        - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, level_scales: [1]}}}}
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, level_scales: [1]}}}}
  base: {{kind: normal}}
"""


def test_layers_of_a_spectrum_are_told_the_frequency_and_those_behind_it_the_time() -> None:
    flow = build_flow(parse(RECIPE.format(groups="[2, 1]")), 3)
    _, spectrum, behind = flow.bijection
    assert isinstance(spectrum, Spectrum)
    assert [chain[1].channels for chain in map(list, spectrum)] == [2, 2]
    assert {chain[1].conditioner.clock for chain in map(list, spectrum)} == {2}
    assert behind.channels == 3 and behind.conditioner.clock == 3
    # Without groups one chain sees all channels.
    (chain,) = list(build_flow(parse(RECIPE.format(groups="null")), 3).bijection)[1]
    assert list(chain)[1].channels == 6
    x = torch.randn(2, 3, 32)
    assert torch.isfinite(flow.log_prob(x, {"span": torch.tensor([[0.0, 0.5], [0.5, 1.0]])})).all()


def test_groups_that_do_not_add_up_are_named() -> None:
    with pytest.raises(RecipeError, match=r"layers\.1: spectrum: the groups \[2, 2\] do not share out 3"):
        build_flow(parse(RECIPE.format(groups="[2, 2]")), 3)
