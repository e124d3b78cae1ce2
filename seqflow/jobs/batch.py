"""A folder of recordings to a folder of scores: in parallel, file by file, and again from where it stopped.

    OUT/scores.parquet, scores.csv   one row a recording, in the order of the names of the files
    OUT/events.parquet, events.csv   one row an event, where alarms are per hour
    OUT/quarantine.jsonl             one line for each recording without a score, with the reason
    OUT/summary.json                 counts
    OUT/results/NAME.json            rows of one file, what they were made from, and with which model
    OUT/samples/NAME.npy             per-sample scores, where asked for

    OUT/claims/                      while a batch is at work: who does what, and what failed (see `claims`)

Several processes, on several hosts, may work in one folder: each file is done by one of them, and the tables
are written by one that finds all done. Everything appears whole or not at all, and no byte depends on the
number of processes or on interruptions.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from ..errors import InputError, ResourceError, UsageError
from ..files import make_folder
from ..scoring import FileScore
from .alarms import Alarms, TailChoice, score_config
from .batch_inputs import Found, Shard, find_inputs
from .batch_others import refuse_others, remove_empty
from .batch_tables import Counts, MissingError, Rows, count_stale
from .batch_work import keep_result, start_work
from .claims import Claims, LostError, Owner, describe
from .model_head import read_head
from .pool import Limits, Outcome, run_tasks
from .score import term_names
from .stored import content_of, own_key, result_path, reusable, run_key

EXPIRY = 120.0
"""Seconds of silence after which what a process had claimed is free."""
_TABLES = "tables"
_ROUNDS = 5
_LONGEST_NAP = 2.0

_Run = Callable[[Iterator[str]], Generator[Outcome, None, None]]
"""Runs tasks somewhere, as `run_tasks` does in child processes."""


@dataclass(frozen=True)
class FileDone:
    """An input has been dealt with.

    Attributes:
        name: of the input.
        scores: rows of its recordings; those of a failure have no score.
        reused: whether they were there from an earlier run.
        size: bytes; 0 where the file cannot be looked at.
        done, total: inputs that this process has dealt with, and all of its share.
    """

    name: str
    scores: tuple[FileScore, ...]
    reused: bool
    size: int
    done: int
    total: int

    @property
    def seconds(self) -> float:
        """Seconds of signal that have a score."""
        return sum(score.duration or 0.0 for score in self.scores if score.scored)


@dataclass(frozen=True)
class Waiting:
    """All that is left is claimed by other processes that are alive."""

    owners: str


@dataclass(frozen=True)
class BatchSummary:
    """What a batch, or one shard of it, came to.

    Attributes:
        inputs, recordings: files, and rows; a series with gaps makes several of one.
        scored, alarms: rows with a score, and those of them with an alarm.
        states: rows by status.
        reused: inputs whose results were there from an earlier run.
        stale: results of inputs that are no longer there: they stay below `out/results`, in no table.
        tables: whether the tables are there: of a shard, only where it found all the others done.
        shard: i/n; None for the whole. All figures but `stale` are then of the shard.
        out: the folder.
    """

    inputs: int
    recordings: int
    scored: int
    alarms: int
    states: dict[str, int]
    reused: int
    stale: int
    tables: bool
    shard: str | None
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
    alarms_per_hour: float | None = None,
    tail: TailChoice | None = None,
    device: str = "auto",
    timeout: float | None = 3600.0,
    memory: float | None = None,
    shard: Shard | None = None,
    expiry: float = EXPIRY,
    engine: Literal["processes", "dask"] = "processes",
    scheduler: str | None = None,
    on_event: Callable[[FileDone | Waiting], None] | None = None,
) -> BatchSummary:
    """Score every recording of a folder or a manifest, each file in a process that may die of it.

    Args:
        model: run folder or model file.
        inputs: a folder, with all recordings of the recipe's kind below it or in shards, or a manifest
            (`read_manifest`) whose paths are below its own folder.
        out: folder of the results. A file with the same content is not scored again with the same model,
            settings and version; where `out` lies below the inputs, its own files are passed over.
        workers: processes, each with the model and one thread.
        samples: write per-sample scores too, see `TrackFile`.
        strict: refuse files with faults that could be read around.
        alarm_rate, alarms_per_hour, tail: as for `score_paths`.
        device: of every process, see `choose_device`.
        timeout: seconds for one file; None for no end.
        memory: MB that a process may have resident while it is at a file; None for no limit.
        shard: the share of the inputs to do; None for all.
        expiry: seconds without a sign of life after which others take over what this process had claimed.
        engine: where the work is done: in child processes here, or on a cluster, see `dask_engine`.
        scheduler: address of the cluster's; None for a cluster of `workers` processes here.
        on_event: told of every file this process deals with, and when it begins to wait for others.

    A file that cannot be scored ends in the quarantine: with the reason code of the reader, `crashed` where
    its process died, `timeout`, `out_of_memory`, `changed` (while it was read), or `internal_error`; so does
    one that a manifest names and that is not there. The last five are tried again by the next batch, but not
    by other processes of this one. Any other fault of a manifest, and a path that leads out of its folder,
    refuses all of it. Raises UsageError for that, where there is nothing to score, or where a batch with
    other settings is at work in `out`; CheckpointError for the model, ResourceError for outputs that cannot
    be written and for a cluster that cannot be had.
    """
    if workers < 1:
        raise UsageError(f"batch: workers must be at least 1, got {workers}")
    if not expiry >= 1.0:
        raise UsageError(f"batch: the expiry of claims must be at least 1 second, got {expiry:g}")
    head = read_head(model)
    alarms = Alarms(alarm_rate, alarms_per_hour, tail)
    config = score_config(head, alarms)
    key = run_key(head.path, strict=strict, score=config.model_dump(mode="json"))
    found = find_inputs(inputs, head.recipe.data, out)
    if not found.names and not found.faults:
        raise UsageError(f"{inputs}: holds no recordings; check the path")
    tracks = out / "samples" if samples else None
    start = partial(
        start_work,
        str(head.path),
        str(found.root),
        str(out),
        key,
        samples,
        strict,
        alarms,
        device,
        found.columns,
    )
    limits = Limits(timeout, memory)
    finish = partial(keep_result, str(out))
    run: _Run = partial(run_tasks, start, workers=workers, ahead=1, finish=finish, **limits._asdict())
    if engine == "dask":
        from .dask_engine import require, run_on_cluster

        require()
        run = partial(
            run_on_cluster,
            start,
            finish=finish,
            model=head.path,
            workers=workers,
            scheduler=scheduler,
            limits=limits,
        )
    elif scheduler is not None:
        raise UsageError("batch: a scheduler belongs to the engine dask; give --engine dask too")
    make_folder(out)
    # Whoever works with other paths or settings would undo what this one does.
    same = json.dumps([key, samples, str(inputs)])
    folder = out / "claims" / hashlib.sha256(same.encode()).hexdigest()[:16]
    for _ in range(_ROUNDS):
        try:
            with Claims(folder, expiry) as claims:
                refuse_others(folder, expiry)
                events = config.alarms_per_hour is not None
                batch = _Batch(found, out, key, tracks, events, claims, shard, on_event)
                summary = batch.run(run, term_names(head, config))
            if summary.tables:
                claims.clear()
                remove_empty(folder.parent)
            return summary
        except LostError:
            continue  # what is done is done, and is not done again
    raise ResourceError(f"{out}: its claims were removed {_ROUNDS} times; raise the expiry of claims")


class _Batch:
    """This process's part of a batch."""

    def __init__(
        self,
        found: Found,
        out: Path,
        key: str,
        tracks: Path | None,
        events: bool,
        claims: Claims,
        shard: Shard | None,
        on_event: Callable[[FileDone | Waiting], None] | None,
    ) -> None:
        self._found, self._out, self._key, self._tracks = found, out, key, tracks
        self._claims, self._shard, self._on_event = claims, shard, on_event
        self._rows = Rows(found.root, out, claims.folder / "failed", key, found.faults, found.columns, events)
        self._all = found.blocks()
        self._names = [name for name in found.all_names if shard is None or shard.holds(name)]
        own = set(self._names)
        self._blocks = {block: names for block, names in self._all.items() if names[0] in own}
        self._open: dict[str, int] = {}
        """Inputs of claimed blocks that are still at work."""
        self._block_of = {name: block for block, names in self._blocks.items() for name in names}
        self._done = self._reused = 0

    def run(self, engine: _Run, terms: tuple[str, ...]) -> BatchSummary:
        for name in self._names:
            if name in self._found.faults:
                self._tell(name, self._rows.of(name), False)
        for _ in range(_ROUNDS):
            self._work(engine)
            try:
                counts, tables = self._finish(terms)
            except MissingError as missing:
                # Listed by this process alone, or changed under it.
                if missing.name in self._block_of:
                    self._again(self._block_of[missing.name], engine)
                continue
            return BatchSummary(
                **asdict(counts),
                reused=self._reused,
                stale=count_stale(self._out, self._found.all_names),
                tables=tables,
                shard=None if self._shard is None else str(self._shard),
                out=self._out,
            )
        raise ResourceError(f"{self._out}: the inputs or results change all the time; run it again in peace")

    def _work(self, engine: _Run) -> None:
        """Claim and do blocks until all of the share are done, by this process or others."""
        blocks, nap, told = list(self._blocks), 0.05, False
        while left := self._claims.left(blocks):
            before = self._done
            self._do(engine, self._claims.take_any(left))
            if self._done > before:
                continue
            if (owners := self._claims.holders(left)) and not told:
                self._wait_for(owners)
                told = True
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)

    def _again(self, block: str, engine: _Run) -> None:
        if self._claims.take(block, again=True):
            self._do(engine, iter([block]))

    def _do(self, engine: _Run, blocks: Iterator[str]) -> None:
        with closing(engine(self._tasks(blocks))) as outcomes:
            for outcome in outcomes:
                self._take(outcome)

    def _tasks(self, blocks: Iterator[str]) -> Iterator[str]:
        """Inputs of claimed blocks that there is something to do about; of the others it tells."""
        for block in blocks:
            names = self._blocks[block]
            self._open[block] = len(names)
            for name in names:
                if not self._claims.holds(block):
                    break  # overtaken while this process stood still
                if (scores := self._known(name)) is not None:
                    self._close(name, scores)
                elif (scores := self._done_before(name)) is not None:
                    self._reused += 1
                    self._close(name, scores, reused=True)
                else:
                    yield name

    def _known(self, name: str) -> list[FileScore] | None:
        """A failure that a process of this batch has met already."""
        record = self._rows.failure(name)
        if record is None:
            return None
        if self._claims.knows(record["token"], record["started"]):
            return [FileScore.from_row(row) for row in record["rows"]]
        self._rows.forget(name)
        return None

    def _done_before(self, name: str) -> list[FileScore] | None:
        """Scores of an earlier run with the same model and content, if nothing is missing."""
        place = result_path(self._out, name)
        if not place.exists():
            return None  # without reading the input
        path = self._found.root / name
        key = own_key(self._key, self._found.columns.get(name))
        try:
            content = content_of(self._found.source(name))
            return reusable(place, key, content, str(path), self._tracks)
        except InputError:
            return None

    def _take(self, outcome: Outcome) -> None:
        name = outcome.task
        if outcome.status == "done":
            scores = [FileScore.from_row(row) for row in outcome.answer["rows"]]
            stored = outcome.answer["stored"]
        else:
            error = InputError(self._found.root / name, outcome.status, str(outcome.answer))
            scores, stored = [FileScore.failed(name, error)], False
        if not stored:
            self._rows.fail(name, scores, self._claims.me.token, self._claims.me.started)
        self._close(name, scores)

    def _close(self, name: str, scores: list[FileScore], reused: bool = False) -> None:
        block = self._block_of[name]
        self._open[block] -= 1
        if not self._open[block] and self._claims.holds(block):
            self._claims.done(block)
        self._tell(name, scores, reused)

    def _tell(self, name: str, scores: list[FileScore], reused: bool) -> None:
        self._done += 1
        if self._on_event is not None:
            self._on_event(
                FileDone(name, tuple(scores), reused, self._found.size(name), self._done, len(self._names))
            )

    def _wait_for(self, owners: list[Owner]) -> None:
        if self._on_event is not None:
            self._on_event(Waiting(describe(owners)))

    def _finish(self, terms: tuple[str, ...]) -> tuple[Counts, bool]:
        """The figures of this share, and whether the tables are there: one process writes them."""
        if self._shard is not None and self._claims.left(list(self._all), trust=True):
            return self._rows.count(self._names), False
        nap = 0.05
        while self._claims.left([_TABLES]):
            if self._claims.take(_TABLES):
                counts = self._rows.write(self._found.all_names, terms)
                self._claims.done(_TABLES)
                return (counts if self._shard is None else self._rows.count(self._names)), True
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)
        return self._rows.count(self._names), True
