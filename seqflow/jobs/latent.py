"""Recordings moved in the space of the noise into files: between two of them, or towards the usual.

Shapes: sequences (C, T) in the units of the training data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..figures import column_figure
from ..files import make_folder
from ..generation import latent
from ..model import Model
from ..runtime import repeatable
from .one_recording import Source, open_one, whole
from .room import check_disk
from .sample import file_form
from .writers import Array, column_names, write_sequence

MOST_STEPS = 1000
_BYTES = 12


@dataclass(frozen=True)
class Moved:
    """What `write_morph` or `write_reconstruction` did.

    Attributes:
        paths: the files of the sequences, in order; the CSV before the array of the same sequence.
        figure: all of them, or eight, one below the other.
        length: samples in each.
        beyond: samples beyond full scale: cut to it in 16-bit files, kept in files of floats.
    """

    paths: tuple[Path, ...]
    figure: Path
    length: int
    beyond: int


def morph(model: Model, a: Source, b: Source, n: int = 8) -> NDArray[np.float64]:
    """n sequences (n, C, T) from recording a to recording b through the space of the noise.

    Each is a file, an array (C, T) or (T,), or a `Recording`. The first and the last are a and b, cut to the
    shorter of them; see `generation.latent.morph`. Raises InputError for a recording that cannot be read, has
    missing samples or is too long, UsageError for n out of range.
    """
    if not 2 <= n <= MOST_STEPS:
        raise UsageError(f"morph: {n} steps: must be between 2 and {MOST_STEPS}")
    ends = [whole(model, open_one(model, source)) for source in (a, b)]
    with repeatable(model.device):
        return latent.morph(model.flow, ends[0], ends[1], n)


def reconstruct(model: Model, recording: Source, temperature: float = 0.8) -> NDArray[np.float64]:
    """The sequence (C, T) whose noise is that of the recording times `temperature`.

    Raises as `morph`.
    """
    with repeatable(model.device):
        return latent.reconstruct(model.flow, whole(model, open_one(model, recording)), temperature)


def write_morph(model: Model, a: Source, b: Source, out: Path, *, n: int = 8) -> Moved:
    """Write the n sequences of `morph` to the folder `out` as morph-0001 and so on, and a figure of them.

    Audio becomes WAV, 16-bit where both recordings have such steps, sensors CSV and .npy (T, C). Raises as
    `morph`, and ResourceError where a file cannot be written.
    """
    ends = [open_one(model, source) for source in (a, b)]
    made = morph(model, ends[0], ends[1], n)
    steps = {one.step for one in ends}
    step = steps.pop() if len(steps) == 1 else None
    shares = [100.0 * index / (n - 1) for index in range(n)]
    labels = [f"{share:.0f} %" for share in shares]
    title = f"from {_shown(ends[0].name)} to {_shown(ends[1].name)}"
    stems = [f"morph-{index + 1:04}" for index in range(n)]
    return _write(model, made, stems, out, step, labels, title, "morph.png")


def write_reconstruction(model: Model, path: Source, out: Path, *, temperature: float = 0.8) -> Moved:
    """Write `reconstruct` of a recording to the folder `out`, with a figure of both.

    Raises as `morph`, and ResourceError where a file cannot be written.
    """
    recording = open_one(model, path)
    given = whole(model, recording)
    made = reconstruct(model, recording, temperature)
    labels = ["recorded", f"{temperature:g}"]
    return _write(
        model,
        made[None],
        ["reconstructed"],
        out,
        recording.step,
        labels,
        f"{_shown(recording.name)}, noise times {temperature:g}",
        "reconstructed.png",
        before=[given.values],
    )


def _write(
    model: Model,
    made: Array,
    stems: Sequence[str],
    out: Path,
    step: float | None,
    labels: Sequence[str],
    title: str,
    figure: str,
    before: Sequence[Array] = (),
) -> Moved:
    if not np.isfinite(made).all():
        raise UsageError(f"{stems[0]}: the model's inverse is not finite there; train it longer")
    check_disk(out, len(made), _BYTES * made[0].size, "sequences")
    make_folder(out)
    paths: list[Path] = []
    beyond = 0
    for stem, values in zip(stems, made.astype(np.float32), strict=True):
        written, cut = write_sequence(
            out,
            stem,
            values,
            form=file_form(model),
            names=column_names(model.channel_names, model.channels),
            rate=model.rate,
            step=step,
        )
        paths += written
        beyond += cut
    column_figure([*before, *made], labels, model.rate, out / figure, title)
    return Moved(tuple(paths), out / figure, made.shape[-1], beyond)


def _shown(name: str) -> str:
    name = name if len(name) <= 40 else "..." + name[-37:]
    return "".join(c if c.isprintable() else "?" for c in name)
