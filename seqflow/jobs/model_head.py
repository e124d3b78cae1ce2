"""What a batch must know of a model before any process has it; no flow is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..checkpoint import read_checkpoint
from ..errors import CheckpointError
from ..model import FORMAT, model_file, stored_calibration, stored_recipe
from ..recipe import Recipe
from ..scoring import Calibration


@dataclass(frozen=True)
class ModelHead:
    """A model's file, its recipe, its calibration, None where it has none, and its rate, Hz."""

    path: Path
    recipe: Recipe
    calibration: Calibration | None
    rate: float | None


def read_head(run_or_file: Path) -> ModelHead:
    """The head of the model of a run or a file. Raises CheckpointError as `Model.load` does."""
    path = model_file(run_or_file)
    tensors, meta = read_checkpoint(path, FORMAT)
    try:
        recipe, calibration = stored_recipe(meta["recipe"]), stored_calibration(tensors)
        return ModelHead(path, recipe, calibration, meta["rate"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: is no model of this program ({error!r})") from None
