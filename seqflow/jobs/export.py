"""A model as one file that torch runs without seqflow: `torch.export`, checked against the model itself.

Shapes: x (B, C, T), any B, the T of the export; position (B,); step (B,); condition (B, K).
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..errors import UsageError
from ..files import atomic
from ..flow import Flow
from ..model import Model
from ..sampling import draw

TOLERANCE = 1e-5
"""Largest difference of log-density per sample (nats), and of noise relative to its largest value."""


@dataclass(frozen=True)
class Export:
    """What `export_model` wrote.

    Attributes:
        path: the file.
        length: T, samples.
        channels: C.
        condition: K, width of the condition; 0 where the model takes none.
        difference: largest difference from the model that was found, as in `TOLERANCE`.
        size: bytes.
    """

    path: Path
    length: int
    channels: int
    condition: int
    difference: float
    size: int


class Density(nn.Module):
    """(x, position, step[, condition]) -> (log_prob (B,), noise (B, C', T'), log_det (B,)), nats.

    Plain tensors only.
    """

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.bijection, self.base = flow.bijection, flow.base

    def forward(
        self, x: Tensor, position: Tensor, step: Tensor, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-density, noise and log-determinant; `step` 0 for continuous data, `position` 0 if unknown."""
        context = {"position": position, "step": step}
        if condition is not None:
            context["condition"] = condition
        noise, log_det = self.bijection(x, context)
        return self.base.log_prob(noise).sum(dim=(1, 2)) + log_det, noise, log_det


def export_model(model: Model, path: Path, *, length: int | None = None) -> Export:
    """Write log-density and noise of windows of `length` samples (None: the recipe's) as a .pt2 file.

    `torch.export.load(path).module()` takes x (B, C, T) float32, position (B,) int64 and step (B,) float32,
    and returns log_prob (B,), noise (B, C', T') and log_det (B,). A model with conditions takes one more,
    condition (B, K) float32: 1 at the value of each, 0 elsewhere, all 0 for unknown, in the order that
    `conditions` in `seqflow.json` lists the values. The file holds no path of this machine and,
    but for its weights, no data; same model, same bytes. Its entry `seqflow.json` tells what went in.

    Before the file gets its name it is read back and compared with the model on sequences drawn from it.
    Raises UsageError where the length does not fit, the model cannot be exported, or the two differ by more
    than TOLERANCE; ResourceError where it cannot be written.
    """
    if path.suffix != ".pt2":
        raise UsageError(f"{path}: must end in .pt2, as torch expects")
    length = model.recipe.data.window if length is None else length
    flow = model.flow
    if length < 1 or length % flow.divisor:
        raise UsageError(f"length {length} is not a positive multiple of {flow.divisor}, as this model needs")
    density = Density(flow.cpu().eval())
    inputs = _inputs(model, length)
    program = _export(density, tuple(value[:2] for value in inputs))
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"seqflow.json": _description(model, length)})
    buffer.seek(0)
    difference = _compare(density, _read_back(buffer), inputs)
    if not difference <= TOLERANCE:
        raise UsageError(
            f"{path}: not written: the exported program differs from the model by {difference:.2g}, "
            f"{TOLERANCE:g} at most"
        )
    with atomic(path) as file:
        file.write(buffer.getvalue())
    return Export(path, length, flow.channels, flow.classes.size, difference, len(buffer.getvalue()))


def _inputs(model: Model, length: int) -> tuple[Tensor, ...]:
    """Three sequences from the model itself, the last far into a recording, and of a condition of its own."""
    x = torch.stack([drawn.values for drawn in draw(model.flow, 3, length, step=model.step)])
    inputs = x, torch.tensor([0, 1, 1 << 34]), torch.full((3,), model.step or 0.0)
    if not model.classes:
        return inputs
    first, last = ({name: own[at] for name, own in model.classes.values.items()} for at in (0, -1))
    return *inputs, torch.stack([torch.from_numpy(model.classes.vector(v)) for v in ({}, first, last)])


def _export(density: Density, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    batch = {0: Dim("batch", min=1, max=1 << 20)}
    sizes = tuple(batch for _ in inputs)
    try:
        with torch.no_grad():
            program = torch.export.export(density, inputs, dynamic_shapes=sizes, strict=False)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"this model cannot be exported: {reason}") from error
    # Without these the file would hold source paths of this machine, and pickled inputs.
    for node in _nodes(program.graph_module):
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack"):
            node.meta.pop(key, None)
    program.example_inputs = None
    return program


def _read_back(buffer: io.BytesIO) -> ExportedProgram:
    """What was just written, and nothing else, is ever read here."""
    with warnings.catch_warnings():
        # That its memory is read-only.
        warnings.simplefilter("ignore", UserWarning)
        return torch.export.load(buffer)


def _nodes(module: nn.Module) -> Iterator[torch.fx.Node]:
    for part in module.modules():
        if isinstance(part, torch.fx.GraphModule):
            yield from part.graph.nodes


@torch.no_grad()
def _compare(density: Density, program: ExportedProgram, inputs: tuple[Tensor, ...]) -> float:
    """Largest difference over batches of all and of one."""
    x = inputs[0]
    largest = 0.0
    exported = program.module()
    for part in (slice(None), slice(-1, None)):
        wanted, noise, _ = density(*(value[part] for value in inputs))
        found, other, _ = exported(*(value[part] for value in inputs))
        scale = noise.abs().max().clamp(min=1.0)
        differences = ((found - wanted).abs() / (x.shape[1] * x.shape[2]), (other - noise).abs() / scale)
        largest = max([largest, *(float(difference.max()) for difference in differences)], key=_nan_last)
    return largest


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _description(model: Model, length: int) -> str:
    shape = model.flow.latent_shape(length)
    inputs = {"x": ["B", model.flow.channels, length], "position": ["B"], "step": ["B"]}
    if model.classes:
        inputs["condition"] = ["B", model.classes.size]
    return json.dumps(
        {
            "recipe": model.recipe.name,
            "inputs": inputs,
            "conditions": {name: list(values) for name, values in model.classes.values.items()},
            "outputs": {"log_prob": ["B"], "noise": ["B", *shape], "log_det": ["B"]},
            "rate": model.rate,
            "step": model.step,
            "channel_names": list(model.channel_names),
        }
    )
