"""Which columns of a file are channels, which hold the time and which the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from ..recipe.data import Channels, SeriesData
from ..recipe.nearest import nearest

TIME_NAMES = ("timestamp", "datetime", "time", "date", "ds", "t")
# One bad header must not make a table of millions of columns.
MOST_COLUMNS = 4096


class Choice(NamedTuple):
    """Columns by their place in the file.

    Attributes:
        values: channels in order; None: every column of numbers among `others`.
        others: columns with a name that are neither time nor label.
        time: none, one, or a date and a time of day that belong together.
        label: column of labels, None for none.
    """

    values: tuple[int, ...] | None
    others: tuple[int, ...]
    time: tuple[int, ...]
    label: int | None


def choose(
    path: Path,
    have: Sequence[str],
    config: SeriesData,
    names: Sequence[str] | None,
    *,
    named: bool,
    clock: int | None = None,
) -> Choice:
    """The columns to read of a file with the columns `have`.

    `names`, those of a trained model, go before `config.columns`. `named` is false where the file has no
    names of its own but the numbers of its columns; `clock` is a column that holds times by its type.
    Columns without a name, as row numbers often are, are channels only where asked for.

    Raises InputError: `missing_column`, `wrong_channels` (a channel of the model is not there),
    `duplicate_columns`, `too_large`.
    """
    if len(have) > MOST_COLUMNS:
        raise InputError(
            path,
            "too_large",
            f"has {len(have)} columns, the most is {MOST_COLUMNS}; are rows and columns exchanged?",
        )
    wanted: Sequence[str] | None = config.columns
    code, key = "missing_column", "data.columns"
    if names and (named or set(names) <= set(have)):
        wanted, code, key = names, "wrong_channels", "the model"
    values = None
    if wanted is not None:
        values = tuple(_find(path, have, name, code, key) for name in wanted)
    label = _label(path, have, config, taken=values or (), scoring=bool(names))
    taken = {*(values or ()), *(() if label is None else (label,))}
    time = _time(path, have, config, taken, clock)
    others = tuple(i for i, name in enumerate(have) if name and i not in taken and i not in time)
    return Choice(values, others, time, label)


def pick(
    path: Path, have: Sequence[str], channels: Channels, names: Sequence[str] | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The channels of a recording by their place among those read, `have`, and their names.

    With the names of a trained model the choice is made already; a file without names of its own is then
    taken by position: as many columns as the model has channels, or those that `channels` numbers. mono keeps
    all: the caller takes the mean, which has no name.

    Raises InputError `wrong_channels`.
    """
    if len(set(have)) < len(have):
        twice = next(name for name in have if have.count(name) > 1)
        raise InputError(path, "duplicate_columns", f"has two columns {twice!r}; give each a name of its own")
    if channels == "mono":
        return tuple(range(len(have))), ()
    if names:
        if len(names) == len(have):
            return tuple(range(len(have))), tuple(names)
        places = _places(channels)
        if len(places) != len(names):
            raise InputError(
                path,
                "wrong_channels",
                f"has {len(have)} columns without names, the model has {len(names)}; name the columns like "
                f"those of the model: {_listed(names)}",
            )
        return tuple(_channel(path, have, place) for place in places), tuple(names)
    if channels == "all":
        return tuple(range(len(have))), tuple(have)
    if channels == "first":
        return (0,), tuple(have[:1])
    chosen = tuple(_channel(path, have, channel) for channel in channels)
    return chosen, tuple(have[i] for i in chosen)


def _places(channels: Channels) -> tuple[int, ...]:
    """The channels that a choice numbers; none where it says something else."""
    if channels == "first":
        return (0,)
    if isinstance(channels, str):
        return ()
    places = tuple(channel for channel in channels if isinstance(channel, int))
    return places if len(places) == len(channels) else ()


def _channel(path: Path, have: Sequence[str], channel: int | str) -> int:
    if isinstance(channel, str):
        return _find(path, have, channel, "wrong_channels", "data.channels")
    if channel >= len(have):
        raise InputError(
            path,
            "wrong_channels",
            f"has {len(have)} channels, data.channels asks for number {channel} (from 0); choose among "
            f"{_listed(have)}",
        )
    return channel


def _find(path: Path, have: Sequence[str], name: str, code: str, key: str) -> int:
    count = have.count(name)
    if count > 1:
        raise InputError(
            path, "duplicate_columns", f"has {count} columns {name!r}; give each a name of its own"
        )
    if count == 0:
        near = nearest(name, have)
        hint = f"the nearest is {near!r}" if near else f"there are {_listed(have)}"
        raise InputError(path, code, f"has no column {name!r}, which {key} asks for; {hint}")
    return have.index(name)


def _label(
    path: Path, have: Sequence[str], config: SeriesData, taken: Sequence[int], scoring: bool
) -> int | None:
    if config.label is None:
        return None
    if config.label in have:
        label = _find(path, have, config.label, "missing_column", "data.label")
        if label in taken:
            raise InputError(
                path, "wrong_channels", f"column {config.label!r} is the label, and a channel as well"
            )
        return label
    # Files without labels are welcome. But a misspelt label column must not become a channel.
    by_case = [name for name in have if name.lower() == config.label.lower()]
    near = by_case[0] if by_case else nearest(config.label, have)
    if near is not None and not scoring and config.columns is None:
        raise InputError(
            path, "missing_column", f"has no label column {config.label!r}, but {near!r}; correct data.label"
        )
    return None


def _time(
    path: Path, have: Sequence[str], config: SeriesData, taken: set[int], clock: int | None
) -> tuple[int, ...]:
    if config.time is None:
        return ()
    if config.time != "auto":
        return (_find(path, have, config.time, "missing_column", "data.time"),)
    lower = {name.lower(): i for i, name in reversed(list(enumerate(have))) if i not in taken}
    found = [lower[name] for name in TIME_NAMES if name in lower]
    if not found:
        return () if clock is None or clock in taken else (clock,)
    if "date" in lower and found[0] == lower.get("time"):
        return lower["date"], lower["time"]
    return (found[0],)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 40 else name[:37] + "...") for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
