"""A trained model: the flow, the recipe that made it, and what its scores need. One file.

Shapes: x is (B, C, T) in the units of the training data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from .bijections.base import Context
from .build import build_flow
from .checkpoint import read_checkpoint, write_checkpoint
from .classes import Classes
from .errors import CheckpointError, RecipeError, UsageError
from .flow import Flow
from .recipe import Recipe
from .runtime import choose_device
from .sampling import draw
from .scoring import Background, Calibration

FORMAT = "seqflow-model"
BEST = "best.safetensors"
LAST = "last.safetensors"
"""Names in the folder of a run: the model, and the state of its training."""

_MOST_CHANNELS = 1 << 16


@dataclass
class Model:
    """A trained flow with everything that must not be parted from it.

    Attributes:
        flow: in evaluation mode.
        recipe: what it was made from.
        calibration: what p-values come from; None where nothing was held back for it.
        channel_names: (C) names of the columns; () where channels have no names.
        rate: samples per second, Hz, of the data it takes; None for data without a clock.
        step: quantisation step of the training data, units of x; None where the recordings had none, or not
            all the same.
        info: figures of the training: plain JSON values, see `training`.
    """

    flow: Flow
    recipe: Recipe
    calibration: Calibration | None = None
    channel_names: tuple[str, ...] = ()
    rate: float | None = None
    step: float | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def window(self) -> int:
        """Length of the windows it was trained on, samples."""
        return self.recipe.data.window

    @property
    def full_scale(self) -> float | None:
        """Largest absolute value of a sequence that is sound: 1; None for readings of sensors."""
        return full_scale(self.recipe, self.rate)

    @property
    def channels(self) -> int:
        """C, channels of a sequence."""
        return self.flow.channels

    @property
    def classes(self) -> Classes:
        """The conditions it knows, with their values; none for most models."""
        return self.flow.classes

    @property
    def device(self) -> torch.device:
        """Where the flow's tensors are."""
        tensors = [*self.flow.parameters(), *self.flow.buffers()]
        return tensors[0].device if tensors else torch.device("cpu")

    def to(self, device: torch.device | str) -> Model:
        """This model with its flow moved to a device; names as for `runtime.choose_device`."""
        place = choose_device(str(device))
        self.flow.to(place)
        if self.background is not None:
            self.background.flow.to(place)
        return self

    @property
    def background(self) -> Background | None:
        """The model that the term `ratio` of the score compares with; None without that term."""
        return None if self.calibration is None else self.calibration.background

    def as_background(self) -> Background:
        """This model as one that the term `ratio` of other models compares with."""
        return Background(self.flow, self.recipe, self.step)

    @torch.no_grad()
    def log_prob(
        self,
        x: Tensor | NDArray[Any],
        context: Context | None = None,
        condition: Mapping[str, str] | None = None,
    ) -> Tensor:
        """Log-density (B,) in nats of sequences x (B, C, T), per unit of x to the power C·T.

        Without a context, x starts a recording with the training data's step, and `condition` gives values of
        conditions (see `classes`); those not given are unknown. Raises ValueError where the shape does not
        fit the model, UsageError for a condition that it does not know, or one beside a context.
        """
        if context is not None and condition is not None:
            raise UsageError("log_prob: context and condition both give the condition; leave one out")
        sequences = torch.as_tensor(x, dtype=torch.float32, device=self.device)
        if context is None:
            context = self._context(len(sequences), condition or {})
        return self.flow.log_prob(sequences, context)

    def sample(
        self,
        n: int,
        length: int | None = None,
        seconds: float | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        condition: Mapping[str, str] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draw n sequences (n, C, length), on the CPU, in the units of the data; see `sampling.draw`.

        Without a length they are as long as a window. `condition` gives values of conditions, such as
        {"digit": "7"}; those not given are unknown. Sound that leaves `full_scale` is drawn again. Equal
        arguments give equal sequences. Raises UsageError for arguments that do not fit the model.
        """
        length = self._length(length, seconds)
        drawn = draw(
            self.flow,
            n,
            length,
            step=self.step,
            temperature=temperature,
            seed=seed,
            condition=condition,
            truncation=truncation,
            limit=self.full_scale,
        )
        return torch.stack([sequence.values for sequence in drawn])

    def save(self, path: str | Path) -> None:
        """Write the model as one file, whole or not at all. Raises ResourceError where it cannot be."""
        tensors = {f"flow.{name}": tensor for name, tensor in self.flow.state_dict().items()}
        if self.calibration is not None:
            arrays = self.calibration.to_arrays()
            tensors |= {f"calibration.{name}": torch.from_numpy(array) for name, array in arrays.items()}
        meta = {
            "format": FORMAT,
            "recipe": self.recipe.model_dump(mode="json"),
            "channels": self.channels,
            "channel_names": list(self.channel_names),
            "rate": self.rate,
            "step": self.step,
            "conditions": {name: list(values) for name, values in self.classes.values.items()},
            "info": self.info,
        }
        if self.background is not None:
            other = self.background
            tensors |= {f"background.{name}": tensor for name, tensor in other.flow.state_dict().items()}
            meta["background"] = {
                "recipe": other.recipe.model_dump(mode="json"),
                "rate": other.flow.rate,
                "step": other.step,
                "conditions": {name: list(values) for name, values in other.flow.classes.values.items()},
            }
        write_checkpoint(Path(path), tensors, meta)

    @classmethod
    def load(cls, run_or_file: str | Path, device: torch.device | str = "cpu") -> Model:
        """The model of a run, by its folder, or in a file of `save`.

        Raises CheckpointError where there is none or it is damaged, UsageError for a device that is absent.
        """
        path = model_file(Path(run_or_file))
        tensors, meta = read_checkpoint(path, FORMAT)
        try:
            channels = min(int(meta["channels"]), _MOST_CHANNELS)
            flow, recipe = _stored_flow(meta, channels, _below("flow.", tensors))
            rate, step = meta["rate"], meta["step"]
            names = tuple(str(name) for name in meta["channel_names"])
            info = dict(meta["info"])
            background = None
            if "background" in meta:
                other, its_recipe = _stored_flow(meta["background"], channels, _below("background.", tensors))
                background = Background(other, its_recipe, meta["background"]["step"])
            calibration = stored_calibration(tensors, background)
        except (CheckpointError, RecipeError) as error:
            raise CheckpointError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: is no model of this program ({error!r})") from None
        return cls(flow, recipe, calibration, names, rate, step, info).to(device)

    def _context(self, n: int, condition: Mapping[str, str]) -> dict[str, Tensor]:
        context: dict[str, Tensor] = {}
        if self.step is not None:
            context["step"] = torch.full((n,), self.step, device=self.device)
            context["position"] = torch.zeros(n, dtype=torch.int64, device=self.device)
        if condition:
            self.classes.check(condition)
            vector = torch.from_numpy(self.classes.vector(condition))
            context["condition"] = vector.to(self.device).expand(n, -1)
        return context

    def _length(self, length: int | None, seconds: float | None) -> int:
        if length is not None and seconds is not None:
            raise UsageError("sample: length and seconds both give the length; leave one out")
        if seconds is not None:
            if self.rate is None:
                raise UsageError(
                    "sample: the model has no rate, so seconds mean nothing to it; give the length"
                )
            if not 0.0 < seconds < math.inf:
                raise UsageError(f"sample: seconds must be positive, got {seconds}")
            length = max(1, round(seconds * self.rate))
        return self.window if length is None else length


def fill(flow: Flow, tensors: Mapping[str, Tensor]) -> None:
    """Make stored tensors those of a flow. Raises CheckpointError unless they are exactly its own in form."""
    own = flow.state_dict()
    for name, tensor in own.items():
        if name not in tensors:
            raise CheckpointError(f"does not fit its recipe: {name} is missing")
        if tensors[name].dtype != tensor.dtype or tensors[name].dim() != tensor.dim():
            raise CheckpointError(f"does not fit its recipe: {name} is of another kind")
    surplus = sorted(tensors.keys() - own.keys())
    if surplus:
        raise CheckpointError(f"does not fit its recipe: {surplus[0]} is not in the model")
    try:
        # Layers whose size the data decide take it from what is stored.
        flow.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"does not fit its recipe: {reason}") from None


def stored_recipe(value: Any) -> Recipe:
    """The recipe in a checkpoint. Raises CheckpointError where it is none that this program understands."""
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "recipe"
        raise CheckpointError(f"its recipe is of another version: {place}: {first['msg']}") from None


def stored_calibration(
    tensors: Mapping[str, Tensor], background: Background | None = None
) -> Calibration | None:
    """The calibration in a checkpoint, None where it has none. Raises CheckpointError for an unsound one."""
    arrays = {name: tensor.numpy() for name, tensor in _below("calibration.", tensors).items()}
    return Calibration.from_arrays(arrays, background) if arrays else None


def stored_classes(value: Any) -> Classes:
    """The classes in a checkpoint. Raises TypeError or ValueError for what are none."""
    values = {str(name): tuple(map(str, found)) for name, found in dict(value).items()}
    return Classes(values)


def _stored_flow(
    meta: Mapping[str, Any], channels: int, tensors: Mapping[str, Tensor]
) -> tuple[Flow, Recipe]:
    """A flow in evaluation mode and its recipe; raises what `Model.load` names."""
    recipe = stored_recipe(meta["recipe"])
    classes = stored_classes(meta.get("conditions", {}))
    # Without memory: that is what the stored tensors bring, once they are seen to fit.
    with torch.device("meta"):
        flow = build_flow(recipe, channels, meta["rate"], meta["step"], classes)
    fill(flow, tensors)
    return flow.eval(), recipe


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def model_file(path: Path) -> Path:
    """The file of a model: itself, or that of a run. Raises CheckpointError for a run without one."""
    if not path.is_dir():
        return path
    if (path / BEST).exists():
        return path / BEST
    if (path / LAST).exists():
        raise CheckpointError(
            f"{path}: has no {BEST} yet: the training did not come to a validation; go on with --resume"
        )
    raise CheckpointError(f"{path}: holds no model ({BEST}); give the folder of a training run")


def full_scale(recipe: Recipe, rate: float | None) -> float | None:
    """Largest absolute value of data of a recipe and a rate, Hz, that are sound: 1; None for readings."""
    data = recipe.data
    sound = data.kind == "audio" or (data.kind == "synthetic" and data.generator == "machine")
    return 1.0 if sound and rate else None
