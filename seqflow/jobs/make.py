"""Made-up recordings in files, some of them with a fault: to try things without data.

Normal ones, to train on, lie apart from those with a fault: OUT/normal, OUT/faulty, OUT/faults.jsonl.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..data.faults import FAULTS, inject
from ..data.recording import Recording
from ..data.synthetic import make_recordings
from ..errors import UsageError
from ..files import make_folder, write_text
from ..recipe import SyntheticData
from .writers import Array, column_names, write_table, write_wav

NORMAL, FAULTY = "normal", "faulty"
LISTING = "faults.jsonl"
"""Which files have a fault, which one, and where (seconds). Not a table: those would be taken for data."""


@dataclass(frozen=True)
class Made:
    """The files written, in the order of their names, and the list of the faults, if there are any."""

    normal: tuple[Path, ...]
    faulty: tuple[Path, ...]
    listing: Path | None


def make_files(
    generator: str,
    out: Path,
    *,
    recordings: int = 8,
    seconds: float = 10.0,
    rate: float | None = None,
    seed: int = 0,
    faulty: int = 0,
    faults: tuple[str, ...] = (),
    strength: float = 3.0,
) -> Made:
    """Write made-up recordings to `out/normal`, and `faulty` more with one fault each to `out/faulty`.

    `generator`, `seconds`, `rate` (Hz) and `seed` are as in a recipe's made-up data. Sound becomes WAV,
    sensors CSV. The faults go through the names given, or all of `FAULTS`, in turn, with a level of
    `strength` standard deviations; `faults.jsonl` in `out` lists them, paths from there. Same
    arguments, same bytes.

    Raises UsageError for arguments out of range, and for a folder that holds anything: files of another run
    would be taken for these; ResourceError where a file cannot be written.
    """
    names = faults or tuple(FAULTS)
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise UsageError(f"there is no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    if recordings < 0 or faulty < 0 or recordings + faulty < 1:
        raise UsageError(f"make: {recordings} normal and {faulty} faulty recordings make no sense")
    config = _config(
        generator=generator, recordings=recordings + faulty, seconds=seconds, rate=rate, seed=seed
    )
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: holds files already; choose another --out, or remove them")
    made = make_recordings(config)
    if recordings:
        make_folder(out / NORMAL)
    if faulty:
        make_folder(out / FAULTY)
    normal = tuple(_write(out / NORMAL, recording.name, recording) for recording in made[:recordings])
    broken: list[Path] = []
    rows: list[dict[str, Any]] = []
    for index, recording in enumerate(made[recordings:]):
        fault = names[index % len(names)]
        # Seeded apart from the recordings, which keep their seed whether they get a fault or not.
        rng = np.random.default_rng([seed, recordings + index, 1])
        values, (start, end) = inject(
            recording.read(0, recording.length).values,
            fault,
            rng,
            rate=recording.rate,
            strength=strength,
            step=recording.step,
        )
        path = _write(out / FAULTY, f"{recording.name}-{fault}", recording, values)
        broken.append(path)
        rate = recording.rate or 1.0
        rows.append(
            {"path": f"{FAULTY}/{path.name}", "fault": fault, "start": start / rate, "end": end / rate}
        )
    if not rows:
        return Made(normal, (), None)
    write_text(out / LISTING, "".join(json.dumps(row) + "\n" for row in rows))
    return Made(normal, tuple(broken), out / LISTING)


def _config(**values: Any) -> SyntheticData:
    try:
        return SyntheticData.model_validate({"kind": "synthetic", "window": 2, **values})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        text = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise UsageError(f"make: {'.'.join(map(str, first['loc']))}: {first['input']!r}: {text}") from None


def _write(folder: Path, name: str, recording: Recording, values: Array | None = None) -> Path:
    if values is None:
        values = recording.read(0, recording.length).values
    if recording.kind == "audio":
        path = folder / f"{name}.wav"
        write_wav(path, values, recording.rate or 1.0, recording.step)
    else:
        path = folder / f"{name}.csv"
        write_table(path, values, column_names(recording.channel_names, recording.channels), recording.rate)
    return path
