"""How unusual windows are by each term, as functions with gradients.

Shapes: windows (B, C, W); K terms; raw features (B, D).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..scoring.passes import FlowPass
from ..scoring.term import Statistics
from .material import Material

_TINY = 1e-12


def measure(name: str, features: Tensor, statistics: Statistics) -> Tensor:
    """Value (B,) of each window by a term: its `measure` and `finish`, with gradients."""
    known = {key: torch.as_tensor(value).to(features) for key, value in statistics.items()}
    match name:
        case "nll":
            return features[:, 0]
        case "typicality":
            return (features[:, 0] - known["mean"]).abs()
        case "latent":
            u = (features - known["location"]) / known["scale"]
            square = torch.einsum("bi,ij,bj->b", u, known["precision"], u)
            # The slope of a root has no end at 0.
            return (square / features.shape[-1]).clamp(min=_TINY).sqrt()
        case "local":
            peak, _ = features.chunk(2, dim=-1)
            return ((peak - known["level"]) * known["inverse_unit"]).amax(-1)
        case "band":
            return ((features - known["location"]) / known["scale"]).abs().amax(-1)
        case "energy":
            first, second = features.chunk(2, dim=-1)
            around = second - 2.0 * known["mean"] * first + known["mean"].square()
            return (around.clamp(min=0.0) / known["variance"]).mean(-1)
    raise ValueError(f"no term {name!r}")


def heights(material: Material, batch: FlowPass) -> Tensor:
    """(B, K') heights of the windows by each term: 0 for a usual one, 1 for a high one, see `place.heights`.

    Of `nll` only where there is no other term: two-sided it is `typicality`.
    """
    calibration = material.calibration
    level, inverse = (torch.as_tensor(row).to(batch.z) for row in calibration.heights)
    terms = calibration.make_terms()
    found = torch.stack(
        [measure(term.name, term.extract(batch), calibration.statistics[term.name]) for term in terms], dim=-1
    )
    kept = [k for k, term in enumerate(terms) if term.name != "nll"] or list(range(len(terms)))
    return ((found - level) * inverse)[:, kept]
