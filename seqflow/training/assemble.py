"""The model that a training has come to, with the figures that tell how."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..build import build_flow
from ..flow import Flow
from ..model import Model, fill
from ..recipe import AudioData, Recipe
from .material import Material
from .state import Progress


def new_flow(recipe: Recipe, material: Material) -> Flow:
    """The untrained flow for these data. Raises RecipeError where its layers do not fit them."""
    return build_flow(recipe, material.train.channels, material.rate, material.step, material.classes)


def make_model(
    recipe: Recipe,
    material: Material,
    progress: Progress,
    weights: Mapping[str, Tensor],
    device: torch.device,
) -> Model:
    """The model with the weights of the best validation, without calibration.

    Its `info`: steps (taken when the weights were), trained_steps, valid_nats, valid_bits, valid_windows,
    round_trip_float32 and round_trip_float64 (relative to the data's deviation), seconds, bad_steps,
    train_windows, left_out (recordings), parameters, data_fingerprint, resampler (None where none was
    allowed), device, threads, processes and versions.
    """
    assert progress.best is not None
    flow = new_flow(recipe, material)
    fill(flow, {name: tensor.clone() for name, tensor in weights.items()})
    best = progress.best
    info: dict[str, Any] = {
        "steps": best.step,
        "trained_steps": progress.step,
        "valid_nats": best.nats,
        "valid_bits": best.bits,
        "valid_windows": best.windows,
        "round_trip_float32": best.round_trip_float32,
        "round_trip_float64": best.round_trip_float64,
        "seconds": progress.seconds,
        "bad_steps": progress.bad,
        "train_windows": len(material.train),
        "left_out": len(material.left_out),
        "parameters": parameter_count(flow),
        "data_fingerprint": progress.fingerprint,
        "resampler": _resampler(recipe),
        "device": device_name(device),
        "threads": progress.threads,
        "processes": progress.processes,
        "versions": {
            "seqflow": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    return Model(
        flow.eval().to(device), recipe, None, material.channel_names, material.rate, material.step, info
    )


def parameter_count(flow: Flow) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in flow.parameters() if parameter.requires_grad)


def device_name(device: torch.device) -> str:
    """cpu, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _resampler(recipe: Recipe) -> str | None:
    data = recipe.data
    return "soxr HQ" if isinstance(data, AudioData) and data.resample == "soxr" else None
