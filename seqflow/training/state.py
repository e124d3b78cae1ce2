"""Everything a training needs to go on as if it had never stopped, as one checkpoint.

Random numbers are functions of the seed and the step, so no generator's state belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ..checkpoint import read_checkpoint, write_checkpoint
from ..errors import CheckpointError
from ..model import stored_recipe
from ..recipe import Recipe
from .validate import Validation

FORMAT = "seqflow-training"


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        step: steps done.
        micro_batch: windows in a pass.
        threads: CPU threads; another number would round otherwise.
        fingerprint: of the data.
        conditions: values of the model's conditions, which its weights belong to.
        best: validation of the weights to keep; None before the first fit ones.
        without_gain: validations since then.
        bad, bad_in_a_row: steps skipped for a loss or gradient that is not finite.
        seconds: spent on it.
        processes: that shared the batches since it was begun or last gone on with; another number would round
            otherwise.
        finished: whether the model is written, calibration and all.
    """

    micro_batch: int
    threads: int
    fingerprint: str
    conditions: dict[str, list[str]] = field(default_factory=dict)
    step: int = 0
    best: Validation | None = None
    without_gain: int = 0
    bad: int = 0
    bad_in_a_row: int = 0
    seconds: float = 0.0
    processes: int = 1
    finished: bool = False


@dataclass(frozen=True)
class State:
    """A saved training. `tensors` has the groups flow, average, best and optimizer, as `group.name`."""

    recipe: Recipe
    progress: Progress
    log_bytes: int
    tensors: Mapping[str, Tensor]

    def group(self, name: str) -> dict[str, Tensor]:
        """The tensors of a group, without its name."""
        prefix = f"{name}."
        found = {key: tensor for key, tensor in self.tensors.items() if key.startswith(prefix)}
        return {key.removeprefix(prefix): tensor for key, tensor in found.items()}


def save_state(state: State, path: Path) -> None:
    """Write a state, whole or not at all. Raises ResourceError where it cannot be written."""
    meta = {
        "format": FORMAT,
        "recipe": state.recipe.model_dump(mode="json"),
        "progress": asdict(state.progress),
        "log_bytes": state.log_bytes,
    }
    write_checkpoint(path, state.tensors, meta)


def load_state(path: Path) -> State:
    """Read a state. Raises CheckpointError where it is damaged or of another version."""
    tensors, meta = read_checkpoint(path, FORMAT)
    try:
        recipe = stored_recipe(meta["recipe"])
        progress = _progress(meta["progress"])
        return State(recipe, progress, int(meta["log_bytes"]), tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: is no state of this program ({error!r})") from None


def join(**groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Groups of tensors as one, `group.name`."""
    return {f"{group}.{name}": tensor for group, part in groups.items() for name, tensor in part.items()}


def _progress(values: Mapping[str, Any]) -> Progress:
    best = values["best"]
    return Progress(**{**values, "best": None if best is None else Validation(**best)})
