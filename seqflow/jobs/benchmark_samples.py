"""Generated sequences beside real held-out ones: distances, a classifier's view, and a page to listen to.

Shapes: sequences (N, C, T) in the units of the data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UsageError
from ..files import make_folder, write_text
from ..model import Model
from ..quality.comparison import Description, describe
from ..quality.loudness import Distribution, kurtosis
from ..report.page import Excerpt
from ..sampling import DrawnBatch, draw_batches
from .sample import file_form, sequence_length
from .sample_classes import hear
from .sample_figures import bands, copies, distances, frechet, left, measures, nonfinite
from .sample_material import Material, Windows, cut, gather, labelled
from .sample_page import caption, excerpts, page
from .sample_results import ClassReport, Loudness, SampleBenchmark, markdown, to_json

Array = NDArray[np.floating[Any]]
Tell = Callable[[int, int, str], None]

SHORTEST = 64
"""Samples that a sequence needs for its spectra."""
ROWS = 8
_MOST_TRAINING, _OVERLAP = 6000, 8
_BATCH_SAMPLES = 1 << 15


def benchmark_samples(
    model: Model,
    out: Path,
    *,
    folder: Path | None = None,
    n: int = 1000,
    length: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    label_pattern: str | None = None,
    on_progress: Tell | None = None,
) -> SampleBenchmark:
    """Draw n sequences, compare them with real ones, and write samples.json, samples.md and samples.html.

    The real ones are the recipe's test recordings, or those of `folder`; see `sample_material.gather`, also
    for the other real ones that stand beside every figure. Sequences have `length` samples, a window where it
    is None; each is drawn for the conditions and the place in its recording of a real window, in turn.
    `label_pattern` is searched for in the names of recordings for a class beside `data.conditions`. The page
    has sequences of the recipe's own length. `on_progress` gets what is done, of how much, and of what.

    Raises UsageError where the arguments do not fit the model or the data, ResourceError where a file cannot
    be written, and what `split_recordings` raises.
    """
    begin = time.monotonic()
    tell: Tell = on_progress or (lambda done, total, what: None)
    length = model.window if length is None else length
    if n < 2:
        raise UsageError(f"benchmark samples: {n} sequences have no distribution; draw 2 or more")
    if length < SHORTEST:
        raise UsageError(
            f"benchmark samples: {length} samples are too few to compare; give {SHORTEST} or more"
        )
    material = gather(model, folder, length)
    everything = [*material.real, *material.floor, *material.train]
    labelled(everything, label_pattern)
    real = cut(material.real, length, n)
    floor = cut(material.floor, length, n)
    room = sum(one.length for one in material.train) // length
    train = cut(material.train, length, min(_MOST_TRAINING, _OVERLAP * room))
    if len(real) < 2:
        raise UsageError(
            "benchmark samples: the held-out recordings have fewer than 2 whole normal windows of "
            f"{length} samples; give other recordings, or a shorter --length"
        )
    make_folder(out)
    asked = _asked(model, real, n)
    spans = real.spans[np.arange(n) % len(real)]
    drawn = _draw(model, asked, spans, length, temperature, seed, tell)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(drawn.values.numpy()).all(axis=(1, 2)))
    if usable.sum() < 2:
        raise UsageError(
            f"benchmark samples: {n - int(usable.sum())} of {n} sequences are not finite at temperature "
            f"{temperature:g}; lower it, or train the model longer"
        )
    asked = [one for one, good in zip(asked, usable, strict=True) if good]
    sound = file_form(model) == "wav"
    units, ruler = measures(model, length, sound, real, train)
    sets = {"generated": drawn.values.numpy()[usable], "real": real.x, "floor": floor.x, "train": train.x}
    found: dict[str, Description] = {}
    for index, (name, x) in enumerate(sets.items()):
        tell(index, len(sets), "comparing")
        if len(x) >= 2:
            found[name] = describe(units.apply(x), ruler)
    notes = [*material.notes]
    figures = [nonfinite(drawn), *([left(drawn)] if sound else []), *distances(found, ruler)]
    tell(0, 1, "looking for copies")
    figures += copies(material, found, units, length, notes)
    classes = _classes(model, label_pattern, train, real, asked, found, seed, notes, tell)
    figures += [frechet(one) for one in classes]
    real_shown, generated_shown = _shown(model, material, temperature, seed)
    paths = tuple(out / f"samples.{suffix}" for suffix in ("json", "md", "html"))
    result = SampleBenchmark(
        recipe=model.recipe.name,
        n=n,
        length=length,
        rate=model.rate,
        temperature=temperature,
        seed=seed,
        nonfinite=int(np.count_nonzero(drawn.redrawn)),
        real=material.real_name,
        floor=material.floor_name,
        n_real=len(real),
        n_floor=len(floor) if "floor" in found else 0,
        n_train=len(train),
        figures=tuple(figures),
        bands=bands(found, ruler),
        loudness={
            name: Loudness(Distribution.of(one.rms), kurtosis(one.x))
            for name, one in found.items()
            if name != "train"
        },
        classes=tuple(classes),
        notes=tuple(notes),
        seconds=time.monotonic() - begin,
        paths=paths,
    )
    rms = {name: one.rms for name, one in found.items()}
    write_text(paths[0], to_json(result))
    write_text(paths[1], markdown(result))
    write_text(paths[2], page(result, rms, real_shown, generated_shown, sound))
    return result


def _asked(model: Model, real: Windows, n: int) -> list[dict[str, str]]:
    """The conditions to draw each sequence for: those of the real windows in turn, as far as known."""
    told = real.of_each()
    return [
        {
            name: told[i % len(told)][name]
            for name, values in model.classes.values.items()
            if told[i % len(told)].get(name) in values
        }
        for i in range(n)
    ]


def _draw(
    model: Model,
    asked: Sequence[Mapping[str, str]],
    spans: Array | None,
    length: int,
    temperature: float,
    seed: int,
    tell: Tell,
) -> DrawnBatch:
    """A sequence (C, length) for each of the conditions and spans (n, 2), as `seqflow sample` draws it."""
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, condition in enumerate(asked):
        groups.setdefault(tuple(sorted(condition.items())), []).append(index)
    values = torch.empty(len(asked), model.channels, length)
    redrawn, beyond = np.zeros((2, len(asked)), np.int64)
    done = 0
    for order, (chosen, places) in enumerate(sorted(groups.items())):
        # Groups have noise of their own; where there is one alone it is that of `seqflow sample`.
        own = (
            seed
            if not order
            else int(np.random.SeedSequence([seed, order]).generate_state(1, np.uint64)[0] >> 1)
        )
        batches = draw_batches(
            model.flow,
            len(places),
            length,
            batch=max(1, _BATCH_SAMPLES // (length * model.channels)),
            step=model.step,
            temperature=temperature,
            seed=own,
            condition=dict(chosen),
            span=None if spans is None else torch.from_numpy(np.asarray(spans[places])),
            limit=model.full_scale,
        )
        at = 0
        for batch in batches:
            here = places[at : at + len(batch.values)]
            values[here], redrawn[here], beyond[here] = batch.values.float(), batch.redrawn, batch.beyond
            at += len(here)
            done += len(here)
            tell(done, len(asked), "drawing sequences")
    return DrawnBatch(values, redrawn, beyond)


def _classes(
    model: Model,
    label_pattern: str | None,
    train: Windows,
    real: Windows,
    asked: Sequence[Mapping[str, str]],
    found: Mapping[str, Description],
    seed: int,
    notes: list[str],
    tell: Tell,
) -> list[ClassReport]:
    names = [*model.recipe.data.conditions, *(["label"] if label_pattern is not None else [])]
    if not names:
        notes.append("no classifier: the recipe declares no conditions, and no --label-pattern is given")
        return []
    if "train" not in found:
        notes.append("no classifier: there are no training data to learn from")
        return []
    spectra = {name: one.spectra for name, one in found.items()}
    reports = []
    for index, name in enumerate(names):
        tell(index, len(names), f"training a classifier of {name}")
        report = hear(name, train, spectra, real, asked, seed)
        if isinstance(report, str):
            notes.append(report)
        else:
            reports.append(report)
    return reports


def _shown(
    model: Model, material: Material, temperature: float, seed: int
) -> tuple[list[Excerpt], list[Excerpt]]:
    """Real and generated sequences for the page, of the length that the recipe draws."""
    length = sequence_length(model, None, None)
    real = excerpts(material.real, length, ROWS)
    asked = [
        {
            name: one.conditions[name]
            for name, values in model.classes.values.items()
            if one.conditions.get(name) in values
        }
        for one, _ in real
    ]
    # As many rows as there are to be, whatever the number of recordings.
    asked = [asked[i % len(asked)] for i in range(ROWS)]
    # Whole recordings where the model knows of places in them.
    drawn = _draw(model, asked, None, length, temperature, seed, lambda done, total, what: None)
    generated = [
        Excerpt(values, caption(index, asked[index]))
        for index, values in enumerate(drawn.values.numpy())
        if np.isfinite(values).all()
    ]
    return [excerpt for _, excerpt in real], generated
