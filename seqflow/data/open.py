"""Any file of recordings, by its suffix, or out of shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..recipe.data import AudioData, CommonData, DataConfig, FileData, SeriesData
from .audio import AUDIO_SUFFIXES, open_audio
from .conditions import conditions_of, packed_conditions
from .packed import PackedFile
from .recording import Recording
from .regularity import JITTER
from .series import SERIES_SUFFIXES, open_series
from .shard_format import check_reading, reading_of
from .shard_recording import ShardRecording

__all__ = ["AUDIO_SUFFIXES", "SERIES_SUFFIXES", "open_recordings"]


def open_recordings(
    path: str | Path | PackedFile,
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

    A file in shards was read when it was packed: it is what the file would be, or refused. It has no time
    stamps, and what its manifest and its sidecar declare comes with it.

    Raises InputError, see `open_audio` and `open_series`; UsageError where shards were packed otherwise than
    `config` reads.
    """
    if isinstance(path, PackedFile):
        return _unpacked(path, config, name, rate, names, strict)
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


def _unpacked(
    file: PackedFile,
    config: DataConfig,
    name: str | None,
    rate: float | None,
    names: tuple[str, ...] | None,
    strict: bool,
) -> list[Recording]:
    table, root = file.folder.table, file.folder.root
    status = table.status[file.first]
    if strict and status != "ok":
        raise InputError(file.path, status, f"{table.detail[file.first]}; replace the file, and pack anew")
    # As the model reads files of this kind, which its own data need not be of.
    if file.kind == "series":
        reading = reading_of(_as_series(config))
    else:
        resample = config.resample if isinstance(config, AudioData) else "soxr"
        reading = {"channels": config.model_dump(mode="json")["channels"], "step": config.step}
        reading |= {"resample": resample}
    for key in ("kind", "manifest", "rate"):
        reading.pop(key, None)
    check_reading(root, config, reading, file.folder.header)
    conditions = packed_conditions(file.name, config, *table.declared[file.first])
    found = file.recordings(name)
    for recording in found:
        _fit(recording, rate, names)
        recording.conditions = conditions
    return [*found]


def _fit(recording: ShardRecording, rate: float | None, names: tuple[str, ...] | None) -> None:
    """Give a recording the rate and the order of channels of a model, if it is of that kind."""
    have = recording.rate
    jitter = JITTER * rate if rate is not None and recording.kind == "series" else 0.0
    if rate is not None and abs((rate if have is None else have) - rate) > jitter:
        text = f"was packed at {have:g} Hz, not {rate:g} Hz; pack anew with data.rate: {rate:g}"
        raise InputError(recording.path, "wrong_rate", text)
    if names and recording.kind == "series" and sorted(names) != sorted(recording.channel_names):
        have_, want = (", ".join(some[:6]) or "none" for some in (recording.channel_names, names))
        text = f"was packed with the columns {have_}, not {want}; pack anew with data.columns"
        raise InputError(recording.path, "wrong_channels", text)
    recording.fit(rate, names or recording.channel_names)


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
