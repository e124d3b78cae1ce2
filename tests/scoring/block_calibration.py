"""A calibration by blocks for a model of one term."""

from __future__ import annotations

import numpy as np

from seqflow.scoring.calibration import Calibration


def block_calibration(units: int) -> Calibration:
    """A block is 3 windows of 8 samples, every 4 samples: 16 samples long, one begins every 12 samples."""
    return Calibration(
        terms=("nll",),
        window=8,
        hop=4,
        smoothing=(1,),
        unit="block",
        per_unit=3,
        statistics={"nll": {}},
        heights=np.array([[0.0], [1.0]]),
        units=np.random.default_rng(0).standard_normal((units, 1)),
    )
