"""The model that the term `ratio` compares with."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import torch

from ..errors import UsageError
from ..flow import Flow
from ..recipe import Recipe


@dataclass(frozen=True)
class Background:
    """A trained flow, and what must be that of the model it is compared with.

    Attributes:
        flow: in evaluation mode.
        recipe: what it was made from.
        step: quantisation step of its training data; None where there was none.
    """

    flow: Flow
    recipe: Recipe
    step: float | None = None

    @property
    def window(self) -> int:
        """Samples of the windows it was trained on."""
        return self.recipe.data.window

    @cached_property
    def digest(self) -> str:
        """Of what it has learned, SHA-256 in hexadecimal digits: which background model this is."""
        found = hashlib.sha256(f"{self.window} {self.step!r} {self.flow.rate!r}".encode())
        for name, tensor in sorted(self.flow.state_dict().items()):
            plain = tensor.detach().cpu().reshape(-1)
            found.update(f"\0{name} {plain.dtype} {tuple(tensor.shape)}\0".encode())
            found.update(plain.view(torch.uint8).numpy().data)
        return found.hexdigest()

    def check(self, *, channels: int, rate: float | None, window: int, step: float | None) -> None:
        """Raise UsageError unless a model of this kind can be compared with it."""
        for what, own, other, near in (
            ("channels", self.flow.channels, channels, 0.0),
            ("rate", self.flow.rate, rate, 1e-6),
            ("window", self.window, window, 0.0),
            ("quantisation step", self.step, step, 1e-6),
        ):
            if own == other:
                continue
            if own is None or other is None or not math.isclose(own, other, rel_tol=near):
                raise UsageError(
                    f"is a model with {what} {_text(own)}, which cannot be compared with {what} "
                    f"{_text(other)}; take one trained with the same"
                )


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
