"""What is unusual in a series, and where: no training run, no labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data.discover import Report, expand
from ..data.packed import PackedFile
from ..data.recording import ArrayRecording, Mask, Recording, Values
from ..detector import FUSED
from ..errors import InputError, UsageError
from ..files import atomic, make_folder, write_text
from ..recipe.data import SyntheticData
from ..scoring.ranked import RankedInterval, ranked
from ..scoring.tracks import TrackFile
from ..scoring.worst import Interval, worst_intervals
from ..shapes import ShapeDetector
from .detect_channels import Tracks, detect_channels
from .detect_results import Detection, to_csv, to_json
from .detect_series import Floats, Prepared, disturbed, open_one_series, prepare
from .detect_span import Span, span_of
from .score import output_path

OnResult = Callable[[Detection, int, int], None]
"""Called with each result as it is there, the number of files done, and of all."""

TABLES = ("events.csv", "events.json")
FOLDERS = ("samples", "channels", "figures")
# Of no kind in particular: the suffix of a file says how it is read.
_ANY = SyntheticData(kind="synthetic", generator="sine", window=2)
_MOST_SHARES = 3
# Height of an event at least. The upper half of the samples is about 1 high.
_LEAST = 0.01
_MOST_SECONDS = 3600.0


def detect(
    source: Values | str | Path | Recording,
    normal: int | str | None = None,
    *,
    prefix_only: bool = False,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    rate: float | None = None,
    top: int = 5,
    train: float | None = None,
    detector: ShapeDetector | None = None,
) -> Detection:
    """The most unusual intervals of one series, and how unusual every sample is.

    Args:
        source: a file (CSV, Parquet, NumPy array, audio), an array (C, T) or (T,), or a recording.
        normal: so many first samples are known to be normal, or so much time of them, such as "6h".
        prefix_only: fit on these alone, not on the whole series too.
        columns, label: of a table: its value columns, and the one that is kept away from the detector.
        rate: of an array, Hz; files have their own.
        top: at most so many events.
        train: seconds of CPU time for couplings over the mixture of each window length of each channel, which
            are kept where they make windows held back more likely, see `shape_flow`; None for none.
        detector: None for the one with defaults; `train` has one of its own.

    A series that is too short, constant or silent has that status and no scores. Raises InputError for a file
    that cannot be read, or in which less than `normal` is there; UsageError for arguments that do not fit
    together.
    """
    span = _checked(normal, prefix_only, top)
    used = _detector(detector, train, span)
    match source:
        case Recording():
            recording = source
        case str() | Path():
            recording = open_one_series(Path(source), Path(source).name, columns, label)
        case _:
            recording = ArrayRecording(source, rate=rate)
    found, _ = _detect(recording, span, not prefix_only, top, used)
    return found


def detect_paths(
    paths: Sequence[str | Path],
    *,
    normal: int | str | None = None,
    prefix_only: bool = False,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    out: Path | None = None,
    top: int = 5,
    figures: bool = False,
    train: float | None = None,
    detector: ShapeDetector | None = None,
    on_result: OnResult | None = None,
) -> list[Detection]:
    """`detect` on files, folders (all series and recordings below) and patterns, sorted by name.

    A file without scores is in the result with its reason code. Results carry no arrays: with `out` they are
    in `samples/NAME.npy`, and of several channels in `channels/NAME.npy`, records with a float32 field for
    each track and channel; `events.csv` and `events.json` hold the events of all. `figures` draws each series
    as `figures/NAME.png`. What an earlier run wrote below `out` is not taken for input.

    Raises UsageError for arguments that do not fit together, ResourceError where an output cannot be written.
    """
    span = _checked(normal, prefix_only, top)
    used = _detector(detector, train, span)
    if figures and out is None:
        raise UsageError("detect: figures are files; give the folder for them (--out)")
    faults: list[InputError] = []
    files = [file for file in _loose(paths, faults.append) if out is None or not _is_own(file, out)]
    folder = os.path.commonpath([os.path.abspath(file.parent) for file in files]) if files else ""  # noqa: PTH100
    found: list[Detection] = []

    def results() -> Iterator[Detection]:
        for file in files:
            name = os.path.relpath(file, folder)
            try:
                recording = open_one_series(file, name, columns, label)
                one, series = _detect(recording, span, not prefix_only, top, used)
            except InputError as error:
                one, series = Detection.failed(name, error), None
            if out is not None:
                _write(out, one, recording if series else None, series, figures)
            yield replace(one, scores=None if one.scores is None else one.scores[:0], shares=None)
        yield from (Detection.failed(error.path, error) for error in faults)

    total = len(files) + len(faults)
    for one in results():
        found.append(one)
        if on_result is not None:
            on_result(one, len(found), total)
    if not found:
        raise UsageError("detect: there is nothing to look at but what an earlier run wrote; give the series")
    if out is not None:
        make_folder(out)
        for name, text in zip(TABLES, (to_csv(found), to_json(found)), strict=True):
            write_text(out / name, text)
    return found


def _checked(normal: int | str | None, prefix_only: bool, top: int) -> Span | None:
    if prefix_only and normal is None:
        raise UsageError("detect: to fit on a prefix only, say how long it is (--normal)")
    if top < 1:
        raise UsageError(f"top: {top} intervals are none; give 1 or more")
    return span_of(normal)


def _detector(detector: ShapeDetector | None, train: float | None, span: Span | None) -> ShapeDetector:
    if train is None:
        return detector or ShapeDetector()
    if not (0.0 < train <= _MOST_SECONDS):
        raise UsageError(f"train: {train:g} seconds: must be above 0 and at most {_MOST_SECONDS:g}")
    if span is None:
        raise UsageError("detect: to train, say how much is known to be normal (--normal)")
    if detector is not None:
        raise UsageError("detect: give a detector or seconds to train, not both")
    from ..shape_flow import FlowDetector

    return FlowDetector(train=train)


def _detect(
    recording: Recording, span: Span | None, whole: bool, top: int, detector: ShapeDetector
) -> tuple[Detection, Prepared]:
    """The result, and the series that it is of."""
    series = prepare(recording)
    values, mask, names, empty, verdict = series
    found = Detection(
        name=recording.name,
        path=recording.path,
        status=verdict.status,
        detail=verdict.detail,
        samples=values.shape[1],
        rate=recording.rate,
        channel_names=names,
        filled=int((~mask).sum()),
    )
    if not verdict.scored:
        return found, series
    if empty:
        told = f"nonfinite: no valid sample in channel {', '.join(empty[:8])}, left out"
        status = "nonfinite" if found.status == "ok" else found.status
        detail = f"{found.detail}; {told}" if found.detail else told
        found = replace(found, status=status, detail=detail)
    train = None if span is None else span.count(recording)
    if train is not None and not np.ptp(values[:, :train], axis=1).any():
        where = recording.path or recording.name
        raise InputError(
            where, "constant", f"the {train} samples known to be normal hold one value; say more"
        )
    tracks = detect_channels(detector, values, mask, train, whole or train is None)
    fused = tracks.tracks[FUSED]
    order = [FUSED, *(name for name in tracks.tracks if name != FUSED)]
    scores = np.empty(len(fused), np.dtype([(name, "<f4") for name in order]))
    for name in order:
        scores[name] = tracks.tracks[name]
    first = None if train is None else fused[:train][np.isfinite(fused[:train])]
    return replace(
        found,
        normal=train,
        whole=whole or train is None,
        periods=tracks.periods,
        windows=tracks.windows,
        flags=tuple(name for name, flag in zip(names, tracks.flags, strict=True) if flag),
        couplings=tracks.couplings,
        kinds=tracks.kinds,
        usual=float(np.nanmedian(fused)),
        normal_height=None if first is None or not len(first) else float(first.max()),
        events=_events(recording, tracks, mask, names, train, top),
        scores=scores,
        shares=tracks.shares.astype(np.float32),
    ), series


def _events(
    recording: Recording, tracks: Tracks, mask: Mask, names: Sequence[str], train: int | None, top: int
) -> tuple[RankedInterval, ...]:
    """The highest intervals. A sample leads by the channels that are neither missing nor beside a gap there,
    and not where it is known to be normal, into which no interval reaches."""
    sound = tracks.shares.copy()
    for row, valid, lengths in zip(sound, mask, tracks.windows, strict=True):
        row[disturbed(valid, max(lengths, default=1), min(lengths, default=1))] = np.nan
    plain = [bool(lengths) for lengths in tracks.windows]
    leading = np.where(np.isfinite(sound[plain]).any(axis=0), np.nansum(sound, axis=0), np.nan)
    leading[: train or 0] = np.nan
    leading[leading < _LEAST] = np.nan
    first = max(lengths[0] for lengths in tracks.windows if lengths)
    beyond = tracks.tracks[FUSED].copy()
    beyond[: train or 0] = np.nan
    found = worst_intervals(beyond, top, dip=first // 4, leading=leading)
    return tuple(
        ranked(recording, rank, one, _shares(sound, one, names)) for rank, one in enumerate(found, 1)
    )


def _shares(sound: Floats, one: Interval, names: Sequence[str]) -> dict[str, float] | None:
    """The channels that add most within an interval; None for a single one."""
    if len(names) < 2:
        return None
    parts = np.nansum(sound[:, one.start : one.end], axis=1)
    parts = parts / parts.sum()
    return {
        names[i]: float(parts[i]) for i in np.argsort(-parts, kind="stable")[:_MOST_SHARES] if parts[i] > 0
    }


def _loose(paths: Sequence[str | Path], report: Report) -> list[Path]:
    """The files that paths stand for. Raises UsageError for shards, which have no time stamps."""
    files = expand(paths, _ANY, report)
    packed = [file for file in files if isinstance(file, PackedFile)]
    if packed:
        raise UsageError(
            f"{packed[0].folder.root}: holds shards, which keep no times; give the files themselves"
        )
    return [file for file in files if isinstance(file, Path)]


def _is_own(file: Path, out: Path) -> bool:
    """Whether a file is one of those that are written to `out`."""
    parts = Path(os.path.relpath(file, out)).parts
    return parts in [(name,) for name in TABLES] or (len(parts) > 1 and parts[0] in FOLDERS)


def _write(
    out: Path, found: Detection, recording: Recording | None, series: Prepared | None, figures: bool
) -> None:
    """The arrays and the figure of one series; of one without scores, none are left of an earlier run."""
    from .detect_figure import detection_figure

    samples, channels, picture = (
        output_path(out / folder, found.name, suffix)
        for folder, suffix in zip(FOLDERS, (".npy", ".npy", ".png"), strict=True)
    )
    if found.scores is None or found.shares is None or recording is None or series is None:
        for path in (samples, channels, picture):
            path.unlink(missing_ok=True)
        return
    _tracks(samples, {name: found.scores[name] for name in found.scores.dtype.names or ()})
    if len(found.channel_names) > 1:
        _tracks(channels, dict(zip(found.channel_names, found.shares, strict=True)))
    if figures:
        make_folder(picture.parent)
        detection_figure(recording, series.values, series.mask, found, picture)


def _tracks(path: Path, tracks: Mapping[str, Values]) -> None:
    make_folder(path.parent)
    with atomic(path) as file:
        writer = TrackFile(file, list(tracks))
        writer.add(0, {name: track.astype(np.float64) for name, track in tracks.items()})
        writer.finish()
