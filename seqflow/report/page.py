"""A page to listen to: real recordings and generated sequences side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import pictures
from .sound import matched, uri, wav_uri
from .template import TEMPLATE

Array = NDArray[np.floating[Any]]

SLOWEST, FASTEST = 3000.0, 384_000.0
"""Rates, Hz, that browsers play."""


@dataclass(frozen=True)
class Excerpt:
    """A sequence (C, T) of the page, and what is written below it."""

    values: Array
    caption: str


@dataclass(frozen=True)
class Cell:
    """What the template shows of a sequence: URIs of its picture and sounds; None where there is no sound."""

    caption: str
    picture: str
    raw: str | None
    level: str | None


@dataclass(frozen=True)
class Page:
    """What a page holds.

    Attributes:
        title: of the page; text, never markup, like all below.
        facts: names and values, above all else.
        head, rows: a table of figures.
        rows_met: for each row whether its goal is met; None without one.
        notes: lines below the table.
        real, generated: sequences in rows, side by side.
        rate: Hz; None for data without a clock.
        sound: whether they are sound; else they are drawn.
        pictures: captions and PNG files of figures.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    rows_met: Sequence[bool | None]
    notes: Sequence[str]
    real: Sequence[Excerpt]
    generated: Sequence[Excerpt]
    rate: float | None
    sound: bool
    pictures: Sequence[tuple[str, bytes]]


def render(page: Page) -> str:
    """The page as HTML: one file, everything in it; all text is escaped, and nothing may be fetched."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    heard = page.sound and page.rate is not None and SLOWEST <= page.rate <= FASTEST
    cells = _cells(page, heard)
    count = len(page.real)
    real, generated = cells[:count], cells[count:]
    rows = [
        (real[i] if i < len(real) else None, generated[i] if i < len(generated) else None)
        for i in range(max(len(real), len(generated)))
    ]
    return environment.from_string(TEMPLATE).render(
        title=page.title,
        facts=page.facts,
        head=page.head,
        table=list(zip(page.rows, page.rows_met, strict=True)),
        notes=page.notes,
        rows=rows,
        heard=heard,
        pictures=[(caption, uri("image/png", data)) for caption, data in page.pictures],
    )


def _cells(page: Page, heard: bool) -> list[Cell]:
    excerpts = [*page.real, *page.generated]
    shown = _spectrograms(page, excerpts) if page.sound else _waves(page, excerpts)
    return [
        Cell(
            excerpt.caption,
            uri("image/png", picture),
            wav_uri(excerpt.values, page.rate or 1.0) if heard else None,
            wav_uri(matched(excerpt.values), page.rate or 1.0) if heard else None,
        )
        for excerpt, picture in zip(excerpts, shown, strict=True)
    ]


def _spectrograms(page: Page, excerpts: Sequence[Excerpt]) -> list[bytes]:
    levels = [pictures.spectrogram_levels(excerpt.values) for excerpt in excerpts]
    top, rate = pictures.common_top(levels), page.rate or 1.0
    seconds = [excerpt.values.shape[1] / rate for excerpt in excerpts]
    return [
        pictures.spectrogram_picture(level, length, rate, top, max(seconds))
        for level, length in zip(levels, seconds, strict=True)
    ]


def _waves(page: Page, excerpts: Sequence[Excerpt]) -> list[bytes]:
    low = min(float(excerpt.values.min()) for excerpt in excerpts)
    high = max(float(excerpt.values.max()) for excerpt in excerpts)
    margin = 0.05 * ((high - low) or 1.0)
    count = len(page.real)
    return [
        pictures.wave_picture(excerpt.values, page.rate, low - margin, high + margin, index < count)
        for index, excerpt in enumerate(excerpts)
    ]
