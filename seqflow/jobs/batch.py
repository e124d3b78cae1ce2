"""A folder of recordings to a folder of scores: in parallel, file by file, and again from where it stopped.

    OUT/scores.parquet, scores.csv   one row a recording, in the order of the names of the files
    OUT/quarantine.jsonl             one line for each recording without a score, with the reason
    OUT/summary.json                 counts
    OUT/results/NAME.json            rows of one file, what they were made from, and with which model
    OUT/samples/NAME.npy             per-sample scores, where asked for

Everything appears whole or not at all, and no byte depends on the number of processes or on interruptions.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__
from ..data.discover import expand
from ..data.manifest import read_manifest
from ..data.regular import regular_file, unreadable
from ..errors import InputError, SeqflowError, UsageError
from ..files import atomic, make_folder, write_text
from ..model import BEST, Model
from ..recipe import DataConfig
from ..runtime import out_of_memory, set_threads
from ..scoring import FileScore, write_scores
from .pool import Outcome, Work, run_tasks
from .score import Input, output_path, score_config, score_input, term_names

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
        out: the folder.
    """

    inputs: int
    recordings: int
    scored: int
    alarms: int
    states: dict[str, int]
    reused: int
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
    its process died, `timeout`, `out_of_memory`, `changed` (while it was read), or `internal_error`. Raises
    UsageError where there is nothing to score or another batch is at work in `out`, CheckpointError for the
    model, ResourceError for outputs that cannot be written.
    """
    # Not at the top: the processes import this module too, and have no use for all of training.
    from ..training.lock import lock

    if workers < 1:
        raise UsageError(f"batch: workers must be at least 1, got {workers}")
    loaded = Model.load(model)
    file = model / BEST if model.is_dir() else model
    config = score_config(loaded, alarm_rate)
    key = _key(file, strict=strict, alarm_rate=config.alarm_rate)
    with lock(make_folder(out)):
        root, names, faults = _find(inputs, loaded.recipe.data, out)
        if not names and not faults:
            raise UsageError(f"{inputs}: holds no recordings; check the path")
        batch = _Batch(root, out)
        start = partial(_start, str(file), str(root), str(out), key, samples, strict, alarm_rate, device)
        total = len(names) + len(faults)
        outcomes = run_tasks(start, names, workers=workers, timeout=timeout)
        dealt_with = chain((batch.fault(*fault) for fault in faults.items()), map(batch.take, outcomes))
        with closing(outcomes):
            for done, (name, scores, reused) in enumerate(dealt_with, 1):
                if on_event is not None:
                    on_event(FileDone(name, tuple(scores), reused, done, total))
        return batch.finish(sorted([*names, *faults], key=os.fsencode), term_names(loaded, config))


class _Dealt(NamedTuple):
    """An input, its rows, and whether they are those of an earlier run."""

    name: str
    scores: list[FileScore]
    reused: bool


class _Batch:
    """Results on the disk, and in memory only what is not stored."""

    def __init__(self, root: Path, out: Path) -> None:
        self._root = root
        self._out = out
        self._failed: dict[str, list[FileScore]] = {}
        self._reused = 0

    def fault(self, name: str, error: InputError) -> _Dealt:
        """Take in an input that cannot even be tried."""
        return self._fail(name, [FileScore.failed(name, error)])

    def take(self, outcome: Outcome) -> _Dealt:
        """Take in what became of a task."""
        name = outcome.task
        if outcome.status != "done":
            error = InputError(self._root / name, outcome.status, str(outcome.answer))
            return self._fail(name, [FileScore.failed(name, error)])
        scores = [FileScore.from_row(row) for row in outcome.answer["rows"]]
        if not outcome.answer["stored"]:
            return self._fail(name, scores)
        self._reused += outcome.answer["reused"]
        return _Dealt(name, scores, bool(outcome.answer["reused"]))

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
            len(names), states.total(), scored, alarms, dict(sorted(states.items())), self._reused, self._out
        )
        plain = {name: value for name, value in asdict(found).items() if name not in ("out", "reused")}
        write_text(self._out / "summary.json", json.dumps(plain, indent=2) + "\n")
        return found

    def _rows(self, names: list[str]) -> Iterator[FileScore]:
        for name in names:
            if name in self._failed:
                yield from self._failed[name]
            else:
                stored = json.loads(_result_path(self._out, name).read_bytes())
                yield from map(FileScore.from_row, stored["rows"])


def _find(inputs: Path, config: DataConfig, out: Path) -> tuple[Path, list[str], dict[str, InputError]]:
    """A folder, the inputs by their names below it, and those that cannot be used."""
    if inputs.is_file():
        return inputs.parent, [entry.name for entry in read_manifest(inputs.parent, inputs.name)], {}
    if not inputs.is_dir():
        raise UsageError(f"{inputs}: is neither a folder nor a manifest; check the path")
    faults: dict[str, InputError] = {}

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
    return inputs, names, faults


def _key(file: Path, **settings: Any) -> str:
    """Digest of everything but the input that decides on a result."""
    with file.open("rb") as opened:
        model = hashlib.file_digest(opened, "sha256").hexdigest()
    text = json.dumps({"model": model, "version": __version__, **settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _result_path(out: Path, name: str) -> Path:
    return output_path(out / "results", name, ".json")


def _start(
    file: str,
    root: str,
    out: str,
    key: str,
    samples: bool,
    strict: bool,
    alarm_rate: float | None,
    device: str,
) -> Work:
    """The work of one process, with the model in memory: the name of an input to its rows."""
    set_threads(1)
    model = Model.load(file, device)
    config = score_config(model, alarm_rate)
    tracks = Path(out, "samples") if samples else None

    def work(name: str) -> dict[str, Any]:
        path, place = Path(root, name), _result_path(Path(out), name)
        content: tuple[str, ...] = ()
        try:
            content = _content(path)
            rows = _reusable(place, key, content, str(path), tracks)
            if rows is not None:
                return {"rows": rows, "stored": True, "reused": True}
            scores = score_input(model, config, Input(name, path), strict=strict, samples=tracks)
            if _content(path) != content:
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
            result = {"content": content, "key": key, "path": str(path), "rows": rows}
            write_text(place, json.dumps(result, indent=1) + "\n")
        return {"rows": rows, "stored": stored, "reused": False}

    return work


def _content(path: Path) -> tuple[str, ...]:
    """Digests of the file and, for an array, of the JSON file beside it that says how to read it."""
    regular_file(path)
    files = [path]
    if path.suffix == ".npy" and path.with_suffix(".json").is_file():
        files.append(path.with_suffix(".json"))
    digests = []
    for file in files:
        try:
            with file.open("rb") as opened:
                digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
        except OSError as error:
            raise unreadable(path, error) from None
    return tuple(digests)


def _reusable(
    place: Path, key: str, content: tuple[str, ...], path: str, tracks: Path | None
) -> list[dict[str, Any]] | None:
    """Rows of an earlier run with the same model and content, if nothing is missing."""
    try:
        stored = json.loads(place.read_bytes())
        same = (stored["key"], tuple(stored["content"]), stored["path"]) == (key, content, path)
        scores = [FileScore.from_row(row) for row in stored["rows"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not same or not scores:
        return None
    if tracks and not all(output_path(tracks, s.name).exists() for s in scores if s.scored):
        return None
    rows: list[dict[str, Any]] = stored["rows"]
    return rows


def _accident(path: Path, error: Exception) -> InputError:
    code = "out_of_memory" if out_of_memory(error) else "internal_error"
    return InputError(path, code, f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])
