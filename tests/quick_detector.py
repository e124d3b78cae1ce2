"""A detector for tests of the benchmark, quick and with faults on demand; processes find it by its name."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqflow.detector import Detected
from seqflow.errors import InputError, ResourceError

FAULTS = {
    701.0: "die",
    702.0: "hang",
    703.0: "bug",
    704.0: "refuse",
    705.0: "nan",
    706.0: "short",
    707.0: "nothing",
    708.0: "full",
}


@dataclass(frozen=True)
class Deviation:
    """Absolute deviation from the mean of what it is fitted to, times `scale`.

    No settings, so that results with and without are the same to the benchmark: with QUICK_FAULTS series that
    begin with a number of `FAULTS` meet that fault; QUICK_LOG is a file for a line on every call.
    """

    scale: float = 1.0

    def __call__(self, values: NDArray[np.float64], train: int | None, /, whole: bool = False) -> Detected:
        first = float(values[0, 0])
        if log := os.environ.get("QUICK_LOG"):
            with open(log, "a") as file:
                file.write(f"{first:g} {train} {values.shape}\n")
        middle = values[:, :train].mean(axis=1, keepdims=True)
        deviation = self.scale * np.abs(values - middle).mean(axis=0)
        tracks: dict[str, NDArray[Any]] = {"other": -deviation, "fused": deviation}
        if os.environ.get("QUICK_FAULTS"):
            match FAULTS.get(first):
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "hang":
                    parent = os.getppid()
                    while os.getppid() == parent:  # so that nothing is left after a test that kills it
                        time.sleep(0.1)
                    os._exit(1)
                case "bug":
                    raise KeyError("no such thing")
                case "refuse":
                    raise InputError("x", "too_short", "has fewer points than a window")
                case "full":
                    raise ResourceError("no room at all")
                case "nan":
                    deviation[3] = np.nan
                case "short":
                    tracks["fused"] = deviation[1:]
                case "nothing":
                    tracks = {}
        values[:] = 0.0  # nobody minds
        return Detected(tracks, 0.25, 0.125, {"period": np.int64(7), "level": np.float32(np.nan)})


def plain_function(values: NDArray[np.float64], train: int | None, /, whole: bool = False) -> Detected:
    return Deviation()(values, train)
