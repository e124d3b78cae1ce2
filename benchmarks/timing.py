"""Side-by-side timing: the alternatives take turns, so that what else the machine does meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

import torch


class Seconds(NamedTuple):
    """Least and middle CPU time of one call."""

    least: float
    middle: float


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Seconds]:
    """CPU time of every run once a round, after one round that is not counted; with one thread only.

    CPU time, since the machine may be shared: waiting for a core is no cost of the code.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if count:
                times[name].append(time.process_time() - start)
    return {name: Seconds(min(taken), median(taken)) for name, taken in times.items()}


def settle_heap() -> None:
    """Make glibc keep what is freed: it learns its limits from the largest block that it has seen freed.

    Until then tensors of a few MB go back to the system after each call and are faulted in anew, which can
    take longer than the arithmetic. A program of any size passes that point by itself.
    """
    torch.zeros((1 << 23) - (1 << 16))
