"""Sequences from a model into files: WAV for audio, CSV and NumPy arrays for sensors, and one figure.

Shapes: a sequence is (C, T) in the units of the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
import torch
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack

from ..errors import UsageError
from ..figures import samples_figure
from ..files import make_folder
from ..generation.continuation import continue_sequences
from ..model import Model
from ..ranks import join
from ..sampling import Drawn, draw
from .room import check_disk, check_memory
from .writers import PCM_16, Array, column_names, write_sequence

Method = Literal["whole", "continue"]

MOST_IN_FIGURE = 8
_LONGEST_STEM, _KEPT = 200, 150
_TABLE = 12
"""Bytes that a value takes in an array and in text together, about."""


@dataclass(frozen=True)
class Samples:
    """What `write_samples` did.

    Attributes:
        paths: the files of the sequences, in order; the CSV before the array of the same sequence.
        figure: the overview.
        n, length, channels: number of sequences, samples in each, C.
        rate: Hz, None for data without a clock.
        seconds: length of a sequence, None without a rate.
        temperature, truncation, seed, method: what they were drawn with.
        condition: values of the conditions they were drawn for; what is not in it was unknown.
        redrawn: draws thrown away because they were not finite.
        left: draws of sound thrown away because they left full scale, see `sampling.draw`.
        beyond: samples beyond full scale: cut to it in 16-bit files, kept in files of floats.
    """

    paths: tuple[Path, ...]
    figure: Path
    n: int
    length: int
    channels: int
    rate: float | None
    seconds: float | None
    temperature: float
    truncation: float
    seed: int
    method: Method
    condition: dict[str, str]
    redrawn: int
    left: int
    beyond: int


def write_samples(
    model: Model,
    out: Path,
    *,
    n: int | None = None,
    length: int | None = None,
    seconds: float | None = None,
    temperature: float | None = None,
    truncation: float | None = None,
    method: Method = "whole",
    seed: int = 0,
    condition: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """Draw n sequences and write them to the folder `out` as sample-0001 and so on.

    With a `condition`, values by name, they are those of such recordings, and named sample-digit-7-0001.

    What is None comes from the recipe's `sample` part; `length` (samples) and `seconds` go before both of the
    recipe's. Audio becomes WAV at the model's rate: 16-bit where the model knows 16-bit steps, else 32-bit
    float. Sensors become CSV, with a column `time` in seconds where there is a rate, and .npy (T, C).
    The method `whole` draws each in one pass at its length, sound again where it leaves full scale;
    `continue` draws a window and carries it on, see `continue_sequences`: slow. `on_progress` gets the
    sequences done and n. Files of the same names are replaced, each as a whole; same model and arguments,
    same bytes.

    Started by torchrun, all processes call this, and each draws and writes its share of the same sequences;
    `on_progress` tells of this process's own. The first one makes the figure.

    Raises UsageError where the arguments do not fit the model, ResourceError where a file cannot be written.
    """
    defaults = model.recipe.sample
    n = defaults.n if n is None else n
    temperature = defaults.temperature if temperature is None else temperature
    truncation = defaults.truncation if truncation is None else truncation
    length = sequence_length(model, length, seconds)
    form = file_form(model)
    names = column_names(model.channel_names, model.channels)
    chosen = {name: condition[name] for name in sorted(condition)} if condition else {}
    _check_room(model, out, n, length, form)
    with join(model.device) as ranks:
        share = ranks.share(n)
        with ranks.together():
            drawn = _draw(model, n, length, temperature, truncation, seed, chosen, method, share)
            make_folder(out)
            own = Part()
            for index, one in zip(share, drawn, strict=True):
                values = one.values.numpy()
                stem = f"{_stem(chosen)}-{index + 1:0{max(4, len(str(n)))}}"
                written, cut = write_sequence(
                    out, stem, values, form=form, names=names, rate=model.rate, step=model.step
                )
                own.add(written, one.redrawn, one.beyond, cut, values if index < MOST_IN_FIGURE else None)
                if on_progress is not None:
                    on_progress(index - share.start + 1, len(share))
        made = Part.joined(ranks.gather_bytes(own.packed()))
        figure = out / "samples.png"
        with ranks.together():
            if ranks.first:
                samples_figure(made.shown, model.rate, figure)
    span = length / model.rate if model.rate else None
    return Samples(
        paths=tuple(made.paths),
        figure=figure,
        n=n,
        length=length,
        channels=model.channels,
        rate=model.rate,
        seconds=span,
        temperature=temperature,
        truncation=truncation,
        seed=seed,
        method=method,
        condition=chosen,
        redrawn=made.redrawn,
        left=made.left,
        beyond=made.beyond,
    )


@dataclass
class Part:
    """What a process has drawn: its files, and the first sequences of all, for the figure."""

    paths: list[Path] = field(default_factory=list)
    redrawn: int = 0
    left: int = 0
    beyond: int = 0
    shown: list[Array] = field(default_factory=list)

    def add(self, paths: Sequence[Path], redrawn: int, left: int, beyond: int, shown: Array | None) -> None:
        """Take in a sequence."""
        self.paths += paths
        self.redrawn += redrawn
        self.left += left
        self.beyond += beyond
        self.shown += [] if shown is None else [shown]

    def packed(self) -> bytes:
        """As bytes, for other processes."""
        figures = {
            "paths": [str(path) for path in self.paths],
            "redrawn": self.redrawn,
            "left": self.left,
            "beyond": self.beyond,
        }
        arrays = {str(index): np.ascontiguousarray(values) for index, values in enumerate(self.shown)}
        return pack(arrays, {"part": json.dumps(figures)})

    @classmethod
    def joined(cls, blobs: Sequence[bytes]) -> Part:
        """The parts of all processes, in order."""
        whole = cls()
        for blob in blobs:
            header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
            figures, arrays = json.loads(header["__metadata__"]["part"]), unpack(blob)
            paths = [Path(path) for path in figures["paths"]]
            whole.add(paths, figures["redrawn"], figures["left"], figures["beyond"], None)
            whole.shown += [arrays[str(index)] for index in range(len(arrays))]
        return whole


def _draw(
    model: Model,
    n: int,
    length: int,
    temperature: float,
    truncation: float,
    seed: int,
    condition: Mapping[str, str],
    method: Method,
    share: range,
) -> Iterator[Drawn]:
    if method == "whole":
        return draw(
            model.flow,
            n,
            length,
            step=model.step,
            temperature=temperature,
            truncation=truncation,
            seed=seed,
            condition=condition,
            limit=model.full_scale,
            share=share,
        )
    if method != "continue":
        raise UsageError(f"samples: the method {method!r:.40} is neither whole nor continue")
    if not share:
        return iter(())
    made = continue_sequences(
        model.flow,
        n,
        length,
        window=model.window,
        step=model.step,
        temperature=temperature,
        truncation=truncation,
        condition=condition,
        seed=seed,
        share=share,
    )
    return (Drawn(torch.from_numpy(values), 0, 0) for values in made.values)


def _check_room(model: Model, out: Path, n: int, length: int, form: Literal["wav", "table"]) -> None:
    """Raise ResourceError where disk or memory have no room for n sequences."""
    values = length * model.channels
    # A sequence at a time, in float64: noise, what becomes of it, the result; and the names of all files.
    check_memory(f"samples: {n} of length {length}", 3 * 8 * values + 100 * n)
    width = (2 if model.step == PCM_16 else 4) if form == "wav" else _TABLE
    check_disk(out, n, width * values, f"sequences of {length} samples")


def _stem(condition: Mapping[str, str]) -> str:
    """How the names of the files begin; values as in an URL, so that different ones stay different."""
    parts = [f"-{name}-{quote(value, safe='')}" for name, value in condition.items()]
    text = "sample" + "".join(parts)
    if len(text) <= _LONGEST_STEM:
        return text
    return f"{text[:_KEPT]}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def sequence_length(model: Model, length: int | None, seconds: float | None) -> int:
    """Samples in a sequence: as given, else by the recipe, else one window.

    Raises UsageError where both are given, or seconds for a model without a rate.
    """
    if length is not None and seconds is not None:
        raise UsageError("samples: length and seconds both give the length; leave one out")
    if length is None and seconds is None:
        length, seconds = model.recipe.sample.length, model.recipe.sample.seconds
    if length is not None:
        return length
    if seconds is None:
        return model.recipe.data.window
    if model.rate is None:
        raise UsageError("samples: this model has no rate, so seconds mean nothing to it; give the length")
    if not 0.0 < seconds < float("inf") or round(seconds * model.rate) < 1:
        raise UsageError(f"samples: {seconds:g} seconds are not one sample at {model.rate:g} Hz")
    return round(seconds * model.rate)


def file_form(model: Model) -> Literal["wav", "table"]:
    """Whether sequences of this model are sound or sensor readings."""
    return "table" if model.full_scale is None else "wav"
