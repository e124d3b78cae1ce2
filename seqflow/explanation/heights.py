"""How unusual windows are by each term, as functions with gradients.

Shapes: windows (B, C, W); K terms; raw features (B, D).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UsageError
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

    Of `nll` only where there is no other term: two-sided it is `typicality`. Not of `complexity`, since a
    code length has no slope, nor of `ratio`, which asks another model. Raises UsageError where none is left.
    """
    calibration = material.calibration
    terms = calibration.make_terms()
    sloped = [k for k, term in enumerate(terms) if term.name not in ("complexity", "ratio")]
    kept = [k for k in sloped if terms[k].name != "nll"] or sloped
    if not kept:
        raise UsageError("explain: of the terms of the score none has a slope; add one such as latent")
    level, inverse = (torch.as_tensor(row[kept]).to(batch.z) for row in calibration.heights)
    found = [
        measure(terms[k].name, terms[k].extract(batch), calibration.statistics[terms[k].name]) for k in kept
    ]
    return (torch.stack(found, dim=-1) - level) * inverse
