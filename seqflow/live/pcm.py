"""Raw PCM: interleaved frames without a header, as `arecord -t raw` and `sox -t raw` write.

Shapes: values (C, k).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.recording import Values
from ..errors import UsageError
from .row import Bad, Row

_TYPES = {"u8": "u1", "s16le": "<i2", "s24le": "<i4", "s32le": "<i4", "f32le": "<f4", "f64le": "<f8"}
FORMATS = tuple(_TYPES)


def step_of(name: str) -> float | None:
    """Quantisation step of a format at full scale 1.0; None for floating-point numbers."""
    return None if name.startswith("f") else 2.0 ** (1 - int(name[1:].removesuffix("le")))


class Pcm:
    """Frames of C samples in one of FORMATS. Integers are scaled to full scale 1.0 as soundfile does.

    Raises UsageError for another format.
    """

    unit = "samples"

    def __init__(self, name: str, channels: int) -> None:
        if name not in _TYPES:
            raise UsageError(f"format: {name!r:.20} is none of {', '.join(FORMATS)}, csv, jsonl")
        self._name = name
        self._type = np.dtype(_TYPES[name])
        self._channels = channels
        self._frame = channels * (3 if name == "s24le" else self._type.itemsize)
        self._rest = b""
        self._frames = 0
        self._skip = 0

    def feed(self, data: bytes) -> list[Row | Bad]:
        """One row of the frames that are whole by now."""
        data = self._rest + data
        dropped = min(self._skip, len(data))
        self._skip -= dropped
        whole = (len(data) - dropped) // self._frame * self._frame
        self._rest = data[dropped + whole :]
        if not whole:
            return []
        self._frames += whole // self._frame
        return [Row(self._values(data[dropped : dropped + whole]))]

    def finish(self) -> list[Row | Bad]:
        """Nothing: a cut frame at the end is no sample."""
        self._rest = b""
        return []

    def consumed(self) -> int:
        """Frames."""
        return self._frames

    def replay(self) -> None:
        """Pass over the frames that were consumed."""
        self._skip = self._frames * self._frame

    def state(self) -> dict[str, Any]:
        """The number of frames."""
        return {"frames": self._frames}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._frames = int(state["frames"])

    def _values(self, data: bytes) -> Values:
        if self._name == "s24le":
            # Into the upper three bytes of four: the sign comes with them.
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            raw = wide.reshape(-1).view("<i4")
        else:
            raw = np.frombuffer(data, self._type)
        frames = raw.reshape(-1, self._channels).T
        if self._name == "u8":
            return (frames.astype(np.float32) - 128.0) / np.float32(128.0)
        if self._type.kind == "i":
            return (frames * 2.0 ** (1 - 8 * self._type.itemsize)).astype(np.float32)
        return frames.astype(self._type.newbyteorder("="))
