"""From a recipe to a model."""

from __future__ import annotations

import torch

from ..classes import Classes
from ..errors import RecipeError
from ..flow import Flow
from ..recipe.recipe import Recipe
from .base import build_base
from .layers import build_bijection

# Errors of recomputed activations, relative to the signal, up to which their gradients are taken: those of
# the gradients are about three times as large. With bf16 inside the conditioners no gradient is better.
_TOLERANCES = {"float32": 3e-5, "bf16": 2e-2}


def build_flow(
    recipe: Recipe,
    channels: int,
    rate: float | None = None,
    step: float | None = None,
    classes: Classes | None = None,
) -> Flow:
    """The untrained model of a recipe for data of C channels.

    `rate` (Hz) and `step` (units of the data) are those of the data, kept with the flow; the recipe's own
    rate and step go before them. `classes` are those of the conditions in `model.condition`. The weights are
    drawn from the recipe's seed, whatever torch's generator has done before, and leave it as it was.

    Raises RecipeError where the layers do not fit C channels or the window of the recipe, or the classes are
    those of other conditions.
    """
    classes = classes or Classes()
    if tuple(classes.values) != recipe.model.condition:
        given = ", ".join(classes.values) or "none"
        text = f"needs the values of each condition; they are given for: {given}"
        raise RecipeError([f"{recipe.name}: model.condition: {text}"])
    _check_channels(recipe, channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        autocast = torch.bfloat16 if recipe.train.precision == "bf16" else None
        bijection, latent = build_bijection(
            recipe.model.layers,
            channels,
            window=recipe.data.window,
            autocast=autocast,
            condition_size=classes.size,
            clock=recipe.model.clock,
            recompute=_TOLERANCES[recipe.train.precision] if recipe.train.memory == "recompute" else None,
        )
        factor = latent // channels
        try:
            base = build_base(recipe.model.base, latent, window=recipe.data.window, factor=factor)
        except ValueError as error:
            raise RecipeError([f"{recipe.name}: model.base: {error}"]) from None
    own_step = recipe.data.step if isinstance(recipe.data.step, float) else step
    flow = Flow(bijection, base, channels, rate=recipe.data.rate or rate, step=own_step, classes=classes)
    try:
        flow.latent_shape(recipe.data.window)
    except ValueError as error:
        raise RecipeError([f"{recipe.name}: data.window: {error}"]) from None
    return flow


def _check_channels(recipe: Recipe, channels: int) -> None:
    given = recipe.data.channels
    wanted = {"all": channels, "mono": 1, "first": 1}[given] if isinstance(given, str) else len(given)
    if channels < 1 or channels != wanted:
        raise RecipeError(
            [f"{recipe.name}: data.channels: gives {wanted} channels, the data have {channels}"]
        )
