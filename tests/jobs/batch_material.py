"""What tests of batches score, and what they compare."""

from __future__ import annotations

from pathlib import Path

import soundfile
from small import noise, small_model


def write_model(folder: Path) -> Path:
    """A small model in a file."""
    path = folder / "small.safetensors"
    small_model().save(path)
    return path


def write_recordings(folder: Path, count: int) -> Path:
    """So many short recordings, and a file that is none; the folder."""
    for i in range(count):
        soundfile.write(folder / f"{i}.wav", (0.1 * noise(i, 700)).T, 8000)
    (folder / "text.wav").write_text("not audio")
    return folder


def contents(out: Path) -> dict[str, bytes]:
    """The files of a batch that is over, by their names below its folder."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and "claims" not in path.parts and path.suffix != ".tmp"
    }
