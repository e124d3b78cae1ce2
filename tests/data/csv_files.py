"""CSV files for tests: written, read as one recording, and their faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seqflow.data.recording import Recording
from seqflow.data.series import open_series
from seqflow.errors import InputError
from seqflow.recipe.data import SeriesData


def config(**keys: Any) -> SeriesData:
    return SeriesData(kind="series", root=".", window=16, **keys)


def write(folder: Path, content: str | bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def one(path: Path, names: tuple[str, ...] | None = None, strict: bool = False, **keys: Any) -> Recording:
    (recording,) = open_series(path, name=path.stem, config=config(**keys), names=names, strict=strict)
    return recording


def fault(path: Path, names: tuple[str, ...] | None = None, strict: bool = False, **keys: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        open_series(path, name="x", config=config(**keys), names=names, strict=strict)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)
    return caught.value


def values(recording: Recording) -> list[list[float | None]]:
    block = recording.read(0, recording.length)
    return [
        [round(float(x), 6) if valid else None for x, valid in zip(row, mask, strict=True)]
        for row, mask in zip(block.values, block.mask, strict=True)
    ]


PLAIN = "a,b\n1.5,-2\n3,4e1\n,6\n"
