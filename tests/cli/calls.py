"""What comes back when a test types a command."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Seqflow = Callable[..., Result]

QUICK = [
    *("--set", "train.steps=6", "--set", "train.warmup=1", "--set", "train.batch=4"),
    *("--set", "train.validate_every=3", "--set", "train.validate_windows=4", "--set", "train.log_every=2"),
    *("--set", "data.recordings=8", "--set", "data.seconds=4"),
    *("--set", "train.threads=1", "--device", "cpu"),
]
"""Options that make a training of a toy recipe as short as can be."""
