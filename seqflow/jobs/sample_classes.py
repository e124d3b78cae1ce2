"""What a classifier of the data's own classes hears in generated sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..quality.classifier import train_classifier
from ..quality.frechet import frechet_distance
from .sample_material import Windows
from .sample_results import ClassReport

Array = NDArray[np.floating[Any]]

MOST_CLASSES = 100


def hear(
    condition: str,
    train: Windows,
    spectra: Mapping[str, Array],
    real: Windows,
    asked: Sequence[Mapping[str, str]],
    seed: int,
) -> ClassReport | str:
    """Train a classifier of a condition on training windows, and judge by it; a line where that cannot be.

    `spectra` are log spectrograms of `train`, `real`, `generated` and, where there is one, `floor`. `asked`
    has for each generated sequence the values it was drawn for.
    """
    told = [one.get(condition) for one in train.of_each()]
    classes = tuple(sorted({value for value in told if value is not None}))
    if not 2 <= len(classes) <= MOST_CLASSES:
        return f"no classifier of {condition}: {len(classes)} classes among the training windows"
    codes = {value: code for code, value in enumerate(classes)}

    def coded(values: Sequence[str | None]) -> NDArray[np.int64]:
        return np.array([-1 if value is None else codes.get(value, -1) for value in values], np.int64)

    labels = coded(told)
    known = labels >= 0
    model = train_classifier(spectra["train"][known], labels[known], len(classes), seed)
    truth = coded([one.get(condition) for one in real.of_each()])
    if not (truth >= 0).any():
        return f"no classifier of {condition}: no held-out recording has a class of the training recordings"
    heard_real, heard = model.hear(spectra["real"]), model.hear(spectra["generated"])
    wanted = coded([one.get(condition) for one in asked])
    seen = truth >= 0
    floor = spectra.get("floor")
    return ClassReport(
        condition=condition,
        classes=classes,
        trained_on=int(known.sum()),
        n_real=int(seen.sum()),
        accuracy=float((heard_real.classes == truth)[seen].mean()),
        chance=float(np.bincount(truth[seen]).max() / seen.sum()),
        agreement=float((heard.classes == wanted)[wanted >= 0].mean()) if (wanted >= 0).any() else None,
        heard=_shares(heard.classes, len(classes)),
        heard_real=_shares(heard_real.classes, len(classes)),
        certainty=float(np.median(heard.probabilities.max(axis=1))),
        certainty_real=float(np.median(heard_real.probabilities.max(axis=1))),
        frechet=frechet_distance(heard.embedding, heard_real.embedding),
        frechet_floor=None
        if floor is None
        else frechet_distance(model.hear(floor).embedding, heard_real.embedding),
    )


def _shares(classes: NDArray[np.integer[Any]], count: int) -> tuple[float, ...]:
    return tuple((np.bincount(classes, minlength=count) / len(classes)).tolist())
