"""A stretch of a recording drawn anew, given the rest, into files; and the same as a function.

Shapes: a recording is (C, T), its stretch (C, G), in the units of the training data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.recording import Recording
from ..errors import InputError, UsageError
from ..figures import gap_figure
from ..files import make_folder
from ..generation.gap import STEPS, Inpainted, context_window
from ..generation.gap import inpaint as draw_gap
from ..model import Model
from ..runtime import repeatable
from .one_recording import Source, known_conditions, open_one
from .room import check_disk
from .sample import file_form
from .writers import column_names, write_sequence

_BYTES = 12


@dataclass(frozen=True)
class GapFilled:
    """What `write_inpainted` did.

    Attributes:
        paths: the files of the whole recordings, one for each draw; the CSV before the array of the same.
        figure: the surroundings of the stretch with the draws.
        start, stop: the stretch, samples; stop is not part of it.
        n, seed, steps: what it was drawn with.
        potential: -log p of the surroundings with each draw, nats.
        started: the same where the sampler started.
        acceptance: fraction of the sampler's proposals accepted, for each draw; about 0.8 where all is well.
        beyond: samples beyond full scale: cut to it in 16-bit files, kept in files of floats.
    """

    paths: tuple[Path, ...]
    figure: Path
    start: int
    stop: int
    n: int
    seed: int
    steps: int
    started: tuple[float, ...]
    potential: tuple[float, ...]
    acceptance: tuple[float, ...]
    beyond: int


def inpaint(
    model: Model,
    recording: Source,
    start: int,
    stop: int,
    *,
    n: int = 4,
    seed: int = 0,
    steps: int = STEPS,
    condition: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Inpainted:
    """Draw the samples [start, stop) of a recording n times given what surrounds them.

    `recording` is a file, an array (C, T) or (T,), or a `Recording`; what it holds in the stretch has no
    influence and may be missing. Only as much is read as `context_window` says. `condition` goes before what
    is declared about the recording. See `generation.inpaint` for the sampler and its result; `on_progress`
    gets its steps done and all.

    Raises InputError for a recording that cannot be read, or with missing samples around the stretch,
    UsageError where the arguments are out of range.
    """
    found = open_one(model, recording)
    begin, end = context_window(found.length, start, stop, window=model.window, divisor=model.flow.divisor)
    values, mask = found.read(begin, end - begin)
    known = np.array(mask.all(axis=0))
    known[start - begin : stop - begin] = True
    if values.shape[1] < end - begin or not known.all():
        text = f"samples near {start} to {stop} are missing; take them into the stretch"
        raise InputError(found.path or found.name, "nonfinite", text)
    with repeatable(model.device):
        return draw_gap(
            model.flow,
            values,
            start - begin,
            stop - begin,
            n=n,
            step=found.step,
            span=(begin / found.length, end / found.length),
            condition=known_conditions(model, found) if condition is None else condition,
            seed=seed,
            steps=steps,
            on_progress=on_progress,
        )


def write_inpainted(
    model: Model,
    path: Source,
    out: Path,
    *,
    begin: float,
    end: float,
    n: int = 4,
    seed: int = 0,
    steps: int = STEPS,
    on_progress: Callable[[int, int], None] | None = None,
) -> GapFilled:
    """Write a recording n times to the folder `out` as inpainted-0001 and so on, a stretch drawn anew.

    The stretch reaches from `begin` to `end`, seconds; samples where the model has no rate. All other samples
    are those of the recording, to the bit; it has the model's rate and channels. Audio becomes WAV, 16-bit
    where the recording has such steps, sensors CSV and .npy (T, C). Same arguments, same bytes.

    Raises as `inpaint`, and ResourceError where a file cannot be written.
    """
    recording = open_one(model, path)
    start, stop = interval(recording, begin, end, "inpaint")
    drawn = inpaint(model, recording, start, stop, n=n, seed=seed, steps=steps, on_progress=on_progress)
    values, mask = recording.read(0, recording.length)
    values = np.where(mask, values, np.nan) if not mask.all() else values.copy()
    check_disk(out, n, _BYTES * values.size, "recordings")
    make_folder(out)
    paths: list[Path] = []
    beyond = 0
    original = values[:, start:stop].copy()
    for index, gap in enumerate(drawn.draws):
        values[:, start:stop] = gap
        written, cut = write_sequence(
            out,
            f"inpainted-{index + 1:04}",
            values,
            form=file_form(model),
            names=column_names(recording.channel_names or model.channel_names, model.channels),
            rate=model.rate,
            step=recording.step,
        )
        paths += written
        beyond += cut
    values[:, start:stop] = original
    figure = out / "inpainted.png"
    gap_figure(values, start, drawn.draws, drawn.interpolation, model.rate, figure)
    return GapFilled(
        paths=tuple(paths),
        figure=figure,
        start=start,
        stop=stop,
        n=n,
        seed=seed,
        steps=steps,
        potential=drawn.potential,
        started=drawn.started,
        acceptance=drawn.acceptance,
        beyond=beyond,
    )


def interval(recording: Recording, begin: float, end: float, command: str) -> tuple[int, int]:
    """Samples (start, stop) from `begin` to `end`: seconds, or samples where there is no rate.

    Raises UsageError where they are no stretch of the recording.
    """
    rate = recording.rate or 1.0
    unit = "seconds" if recording.rate else "samples"
    if not (np.isfinite(begin) and np.isfinite(end)) or not 0.0 <= begin < end:
        raise UsageError(f"{command}: from {begin:g} to {end:g} {unit} is no stretch")
    start, stop = round(begin * rate), round(end * rate)
    if stop > recording.length or start >= stop:
        raise UsageError(
            f"{command}: from {begin:g} to {end:g} {unit} is no stretch of {recording.name}, which has "
            f"{recording.length / rate:g} {unit}"
        )
    return start, stop
