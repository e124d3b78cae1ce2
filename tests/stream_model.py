"""A small model whose calibration judges windows, as a run folder, and what it takes for normal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from small import RECIPE, WINDOW, noise, recording

from seqflow.build import build_flow
from seqflow.model import BEST, Model
from seqflow.recipe import parse
from seqflow.scoring import calibrate


def values_of(seed: int, length: int) -> NDArray[np.float64]:
    """Normal samples (1, length)."""
    return 0.1 * noise(seed, length)


def stream_run(folder: Path, seed: int = 0) -> Path:
    """A run with a model of 8,000 Hz, windows of 32 samples and blocks of one window, 150 of them."""
    torch.manual_seed(seed)
    recipe = parse(RECIPE.format(kind="audio", rate=8000), "small.yaml")
    flow = build_flow(recipe, 1, 8000.0, None)
    flow.initialize(
        torch.from_numpy(np.stack([values_of(1000 + seed + i, WINDOW) for i in range(64)])).float()
    )
    held = [recording(values_of(i, 4800), f"c{i}", rate=8000.0, kind="audio") for i in range(1)]
    config = recipe.score.model_copy(update={"alarm_rate": 0.05})
    fitted = calibrate(flow.eval(), held, config, window=WINDOW, unit="block")
    folder.mkdir(parents=True, exist_ok=True)
    Model(flow, recipe, fitted, rate=8000.0).save(folder / BEST)
    return folder
