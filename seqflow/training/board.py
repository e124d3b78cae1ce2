"""The figures of the log, for TensorBoard."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..errors import UsageError


class Board:
    """Writes scalars to a folder that TensorBoard reads. A resumed run drops what lies behind `step`.

    Raises UsageError where TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            module = importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise UsageError(
                "train.tensorboard: TensorBoard is not installed: install seqflow-audio[tensorboard], "
                "or set train.tensorboard to false"
            ) from error
        self._writer: Any = module.SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, **figures: float | None) -> None:
        """Add the figures that there are at this step; `valid_nats` becomes `valid/nats`."""
        for name, value in figures.items():
            if value is not None:
                self._writer.add_scalar(name.replace("_", "/", 1), value, step)

    def close(self) -> None:
        """Write what is pending and close the files."""
        self._writer.close()
