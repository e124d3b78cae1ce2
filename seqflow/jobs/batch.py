"""A folder of recordings to a folder of scores: in parallel, file by file, and again from where it stopped.

    OUT/scores.parquet, scores.csv   one row a recording, in the order of the names of the files
    OUT/quarantine.jsonl             one line for each recording without a score, with the reason
    OUT/summary.json                 counts
    OUT/results/NAME.json            rows of one file, what they were made from, and with which model
    OUT/samples/NAME.npy             per-sample scores, where asked for

Everything appears whole or not at all, and no byte depends on the number of processes or on interruptions.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..data.discover import expand, walk
from ..data.manifest import Entry, read_manifest
from ..errors import InputError, SeqflowError, UsageError
from ..files import atomic, make_folder, write_text
from ..lock import lock
from ..model import BEST, Model
from ..recipe import DataConfig
from ..runtime import out_of_memory, set_threads
from ..scoring import FileScore, write_scores
from .inputs import Input
from .pool import Outcome, Work, run_tasks
from .score import score_config, score_input, term_names
from .stored import content_of, own_key, result_path, reusable, run_key

_RETRIED = ("crashed", "timeout", "out_of_memory", "internal_error", "changed")
"""Reasons that another run may not meet again: nothing is stored, so that it tries."""


@dataclass(frozen=True)
class FileDone:
    """An input has been dealt with.

    Attributes:
        name: of the input.
        scores: rows of its recordings; those of a failure have no score.
        reused: whether they were there from an earlier run.
        done, total: inputs dealt with, and all.
    """

    name: str
    scores: tuple[FileScore, ...]
    reused: bool
    done: int
    total: int


@dataclass(frozen=True)
class BatchSummary:
    """What a batch came to.

    Attributes:
        inputs, recordings: files, and rows; a series with gaps makes several of one.
        scored, alarms: rows with a score, and those of them with an alarm.
        states: rows by status.
        reused: inputs whose results were there from an earlier run.
        stale: results of inputs that are no longer there: they stay below `out/results`, in no table.
        out: the folder.
    """

    inputs: int
    recordings: int
    scored: int
    alarms: int
    states: dict[str, int]
    reused: int
    stale: int
    out: Path

    @property
    def exit_code(self) -> int:
        """0 where all recordings have a score, 4 where none has, else 3."""
        return 0 if self.scored == self.recordings else 3 if self.scored else 4


def run_batch(
    model: Path,
    inputs: Path,
    out: Path,
    *,
    workers: int = 1,
    samples: bool = False,
    strict: bool = False,
    alarm_rate: float | None = None,
    device: str = "auto",
    timeout: float | None = 3600.0,
    on_event: Callable[[FileDone], None] | None = None,
) -> BatchSummary:
    """Score every recording of a folder or a manifest, each file in a process that may die of it.

    Args:
        model: run folder or model file.
        inputs: a folder, with all recordings of the recipe's kind below it, or a manifest (`read_manifest`)
            whose paths are below its own folder.
        out: folder of the results. A file with the same content is not scored again with the same model,
            settings and version; where `out` lies below the inputs, its own files are passed over.
        workers: processes, each with the model and one thread.
        samples: write per-sample scores too, see `TrackFile`.
        strict: refuse files with faults that could be read around.
        alarm_rate: false alarms accepted, a fraction; None for the recipe's.
        device: of every process, see `choose_device`.
        timeout: seconds for one file; None for no end.
        on_event: told of every file, in the order they are done.

    A file that cannot be scored ends in the quarantine: with the reason code of the reader, `crashed` where
    its process died, `timeout`, `out_of_memory`, `changed` (while it was read), or `internal_error`; so does
    one that a manifest names and that is not there. Any other fault of a manifest, and a path that leads out
    of its folder, refuses all of it. Raises UsageError for that, where there is nothing to score, or where
    another batch is at work in `out`; CheckpointError for the model, ResourceError for outputs that cannot be
    written.
    """
    if workers < 1:
        raise UsageError(f"batch: workers must be at least 1, got {workers}")
    loaded = Model.load(model)
    file = model / BEST if model.is_dir() else model
    config = score_config(loaded, alarm_rate)
    key = run_key(file, strict=strict, alarm_rate=config.alarm_rate)
    with lock(out):
        found = _find(inputs, loaded.recipe.data, out)
        if not found.names and not found.faults:
            raise UsageError(f"{inputs}: holds no recordings; check the path")
        batch = _Batch(found, out, key, out / "samples" if samples else None)
        start = partial(
            _start,
            str(file),
            str(found.root),
            str(out),
            key,
            samples,
            strict,
            alarm_rate,
            device,
            found.columns,
        )
        names = sorted([*found.names, *found.faults], key=os.fsencode)
        with closing(batch.deal(partial(run_tasks, start, workers=workers, timeout=timeout))) as dealt_with:
            for done, (name, scores, reused) in enumerate(dealt_with, 1):
                if on_event is not None:
                    on_event(FileDone(name, tuple(scores), reused, done, len(names)))
        return batch.finish(names, term_names(loaded, config))


class _Found(NamedTuple):
    """A folder, the inputs by their names below it, those that cannot be used, and columns of a manifest."""

    root: Path
    names: list[str]
    faults: dict[str, InputError]
    columns: dict[str, dict[str, str]]


class _Dealt(NamedTuple):
    """An input, its rows, and whether they are those of an earlier run."""

    name: str
    scores: list[FileScore]
    reused: bool


class _Batch:
    """Results on the disk, and in memory only what is not stored."""

    def __init__(self, found: _Found, out: Path, key: str, tracks: Path | None) -> None:
        self._found = found
        self._out = out
        self._key = key
        self._tracks = tracks
        self._failed: dict[str, list[FileScore]] = {}
        self._reused = 0

    def deal(
        self, run: Callable[[list[str]], Generator[Outcome, None, None]]
    ) -> Generator[_Dealt, None, None]:
        """All inputs: those that cannot even be tried, those done before, and what becomes of the others.

        `run` is not asked for any process where nothing is left to do.
        """
        for name, error in self._found.faults.items():
            yield self._fail(name, [FileScore.failed(name, error)])
        left = []
        for name in self._found.names:
            if (scores := self._done_before(name)) is None:
                left.append(name)
                continue
            self._reused += 1
            yield _Dealt(name, scores, True)
        with closing(run(left)) as outcomes:
            yield from map(self._take, outcomes)

    def _done_before(self, name: str) -> list[FileScore] | None:
        """Scores of an earlier run with the same model and content, if nothing is missing."""
        place = result_path(self._out, name)
        if not place.exists():
            return None  # without reading the input
        path = self._found.root / name
        key = own_key(self._key, self._found.columns.get(name))
        try:
            return reusable(place, key, content_of(path), str(path), self._tracks)
        except InputError:
            return None

    def _take(self, outcome: Outcome) -> _Dealt:
        name = outcome.task
        if outcome.status != "done":
            error = InputError(self._found.root / name, outcome.status, str(outcome.answer))
            return self._fail(name, [FileScore.failed(name, error)])
        scores = [FileScore.from_row(row) for row in outcome.answer["rows"]]
        return _Dealt(name, scores, False) if outcome.answer["stored"] else self._fail(name, scores)

    def _fail(self, name: str, scores: list[FileScore]) -> _Dealt:
        self._failed[name] = scores
        return _Dealt(name, scores, False)

    def finish(self, names: list[str], terms: tuple[str, ...]) -> BatchSummary:
        """Write the tables."""
        states: Counter[str] = Counter()
        alarms = scored = 0

        def count() -> Iterator[FileScore]:
            nonlocal alarms, scored
            for score in self._rows(names):
                states[score.status] += 1
                scored += score.scored
                alarms += bool(score.alarm)
                yield score

        write_scores(self._out, count(), terms)
        with atomic(self._out / "quarantine.jsonl") as file:
            for score in self._rows(names):
                if not score.scored:
                    line = {key: getattr(score, key) for key in ("name", "path", "status", "detail")}
                    file.write(json.dumps(line).encode() + b"\n")
        found = BatchSummary(
            inputs=len(names),
            recordings=states.total(),
            scored=scored,
            alarms=alarms,
            states=dict(sorted(states.items())),
            reused=self._reused,
            stale=self._stale(names),
            out=self._out,
        )
        # What happened before has no say in the bytes.
        plain = {key: value for key, value in asdict(found).items() if key not in ("out", "reused", "stale")}
        write_text(self._out / "summary.json", json.dumps(plain, indent=2) + "\n")
        return found

    def _stale(self, names: list[str]) -> int:
        """Results on the disk that are of none of these inputs."""
        results = self._out / "results"
        own = {os.fspath(result_path(self._out, name).relative_to(results)) for name in names}
        there = walk(os.fspath(results), _pass_over) if results.is_dir() else ()
        return sum(name.endswith(".json") and name not in own for name, _ in there)

    def _rows(self, names: list[str]) -> Iterator[FileScore]:
        for name in names:
            if name in self._failed:
                yield from self._failed[name]
            else:
                stored = json.loads(result_path(self._out, name).read_bytes())
                yield from map(FileScore.from_row, stored["rows"])


def _find(inputs: Path, config: DataConfig, out: Path) -> _Found:
    """What there is to do. Raises UsageError for a manifest with faults: all of it is refused."""
    faults: dict[str, InputError] = {}
    if inputs.is_file():
        root = inputs.parent

        def absent(error: InputError) -> None:
            faults[os.path.relpath(error.path, root)] = error

        try:
            entries = read_manifest(root, inputs.name, absent)
        except InputError as error:
            raise UsageError(str(error)) from None
        return _Found(root, [entry.name for entry in entries], faults, _columns(entries, config))
    if not inputs.is_dir():
        raise UsageError(f"{inputs}: is neither a folder nor a manifest; check the path")

    def report(error: InputError) -> None:
        if error.code != "no_files":
            faults[os.path.relpath(error.path, inputs)] = error

    names = [file.relative_to(inputs).as_posix() for file in expand([inputs], config, report)]
    own, root = out.resolve(), inputs.resolve()
    if own == root:
        raise UsageError(f"{out}: holds the recordings; choose another folder for the results")
    if own.is_relative_to(root):
        below = own.relative_to(root).as_posix() + "/"
        names = [name for name in names if not name.startswith(below)]
        faults = {name: error for name, error in faults.items() if not name.startswith(below)}
    return _Found(inputs, names, faults, {})


def _columns(entries: Sequence[Entry], config: DataConfig) -> dict[str, dict[str, str]]:
    """By the name of a file, what a manifest has in the columns of the recipe's conditions."""
    wanted = {source.column for source in config.conditions.values()} - {None}
    if not wanted:
        return {}
    return {
        entry.name: {key: value for key, value in entry.conditions.items() if key in wanted}
        for entry in entries
    }


def _start(
    file: str,
    root: str,
    out: str,
    key: str,
    samples: bool,
    strict: bool,
    alarm_rate: float | None,
    device: str,
    columns: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Work:
    """The work of one process, with the model in memory: the name of an input to its rows."""
    set_threads(1)
    model = Model.load(file, device)
    config = score_config(model, alarm_rate)
    tracks = Path(out, "samples") if samples else None

    def work(name: str) -> dict[str, Any]:
        path, place = Path(root, name), result_path(Path(out), name)
        content: tuple[str, ...] = ()
        declared = columns.get(name)
        try:
            content = content_of(path)
            scores = score_input(model, config, Input(name, path, declared), strict=strict, samples=tracks)
            if content_of(path) != content:
                raise InputError(path, "changed", "changed while it was read; score it again")
        except InputError as error:
            scores = [FileScore.failed(name, error)]
        except SeqflowError:
            raise
        except Exception as error:
            scores = [FileScore.failed(name, _accident(path, error))]
        rows = [score.row() for score in scores]
        stored = bool(content) and not any(score.status in _RETRIED for score in scores)
        if stored:
            make_folder(place.parent)
            result = {"content": content, "key": own_key(key, declared), "path": str(path), "rows": rows}
            write_text(place, json.dumps(result, indent=1) + "\n")
        return {"rows": rows, "stored": stored}

    return work


def _pass_over(_: InputError) -> None:
    """What is to be done about a folder that cannot be listed: nothing."""


def _accident(path: Path, error: Exception) -> InputError:
    code = "out_of_memory" if out_of_memory(error) else "internal_error"
    return InputError(path, code, f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])
