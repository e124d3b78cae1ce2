"""Any file of recordings, by its suffix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..recipe.data import AudioData, CommonData, DataConfig, FileData, SeriesData
from .audio import AUDIO_SUFFIXES, open_audio
from .conditions import conditions_of
from .recording import Recording
from .series import SERIES_SUFFIXES, open_series

__all__ = ["AUDIO_SUFFIXES", "SERIES_SUFFIXES", "open_recordings"]


def open_recordings(
    path: str | Path,
    config: DataConfig,
    *,
    name: str | None = None,
    rate: float | None = None,
    names: tuple[str, ...] | None = None,
    strict: bool = False,
    columns: Mapping[str, str] | None = None,
    times: bool = False,
) -> list[Recording]:
    """The recordings in a file: one, but for series that are split at gaps.

    The suffix decides how the file is read; one that says nothing is read as `config.kind` has it, as audio
    where the data are made up. What the recipe does not say for that kind of file has its default. `name`:
    null for the path below data.root. `rate` (Hz) and `names` are those of a trained model and go before the
    recipe's. `strict` refuses files with faults that could be read around. `columns` are those of a manifest,
    for `conditions`; see `conditions_of`. `times` keeps time stamps, for `time_of`.

    Raises InputError, see `open_audio` and `open_series`.
    """
    path = Path(path)
    recordings = _open(path, config, name, rate, names, strict, times)
    conditions = conditions_of(path, config, columns)
    for recording in recordings:
        recording.conditions = conditions
    return recordings


def _open(
    path: Path,
    config: DataConfig,
    name: str | None,
    rate: float | None,
    names: tuple[str, ...] | None,
    strict: bool,
    times: bool,
) -> list[Recording]:
    if name is None:
        name = _name(path, config)
    suffix = path.suffix.lower()
    if suffix in SERIES_SUFFIXES or (suffix not in AUDIO_SUFFIXES and isinstance(config, SeriesData)):
        series = _as_series(config)
        if rate is not None:
            series = series.model_copy(update={"rate": rate})
        return open_series(path, name=name, config=series, names=names, strict=strict, times=times)
    return [
        open_audio(
            path,
            name=name,
            rate=config.rate if rate is None else rate,
            channels=config.channels,
            step=config.step,
            resample=config.resample if isinstance(config, AudioData) else "soxr",
            strict=strict,
        )
    ]


def _name(path: Path, config: DataConfig) -> str:
    if isinstance(config, FileData) and path.is_relative_to(config.root):
        return path.relative_to(config.root).as_posix()
    return path.name


def _as_series(config: DataConfig) -> SeriesData:
    if isinstance(config, SeriesData):
        return config
    # Conditions are found by the recipe's own part, which may have a manifest.
    common = {key: getattr(config, key) for key in CommonData.model_fields if key != "conditions"}
    return SeriesData(kind="series", root=config.root if isinstance(config, FileData) else ".", **common)
