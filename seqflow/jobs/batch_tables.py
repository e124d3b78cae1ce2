"""Tables of a batch, from what lies on the disk: the same bytes whichever process writes them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data.discover import walk
from ..errors import InputError
from ..files import atomic, make_folder, write_text
from ..scoring import FileScore, write_scores
from ..scoring.results import remove_events, write_events
from .score import output_path
from .stored import own_key, result_path


@dataclass(frozen=True)
class Counts:
    """Inputs, rows, rows with a score, alarms, and rows by status."""

    inputs: int
    recordings: int
    scored: int
    alarms: int
    states: dict[str, int]


class MissingError(Exception):
    """An input has neither a result nor a failure of this batch; `name` says which."""

    def __init__(self, name: str) -> None:
        self.name = name


class Rows:
    """The rows of inputs: faults known beforehand, failures of this batch, results.

    `failed` is the folder of the failures, which are of this batch alone. `events` asks for tables of them.
    """

    def __init__(
        self,
        root: Path,
        out: Path,
        failed: Path,
        key: str,
        faults: Mapping[str, InputError],
        columns: Mapping[str, Mapping[str, str]],
        events: bool = False,
    ) -> None:
        self._events = events
        self._root, self._out, self._failed, self._key = root, out, failed, key
        self._faults, self._columns = faults, columns

    def fail(self, name: str, scores: Sequence[FileScore], token: str, started: int) -> None:
        """Keep a failure, with the process that met it, for the others and the tables."""
        place = self._place(name)
        make_folder(place.parent)
        record = {"token": token, "started": started, "rows": [score.record() for score in scores]}
        write_text(place, json.dumps(record) + "\n")

    def failure(self, name: str) -> dict[str, Any] | None:
        """The record of a failure, if there is one."""
        try:
            record: dict[str, Any] = json.loads(self._place(name).read_bytes())
        except (OSError, ValueError):
            return None
        return record

    def forget(self, name: str) -> None:
        """Remove the record of a failure: the input is tried again."""
        self._place(name).unlink(missing_ok=True)

    def of(self, name: str) -> list[FileScore]:
        """The rows of an input. Raises MissingError where there are none."""
        if name in self._faults:
            return [FileScore.failed(name, self._faults[name])]
        record = self.failure(name)
        try:
            if record is None:
                record = json.loads(result_path(self._out, name).read_bytes())
                own = own_key(self._key, self._columns.get(name)), str(self._root / name)
                if (record["key"], record["path"]) != own:
                    raise MissingError(name)
            return [FileScore.from_row(row) for row in record["rows"]]
        except (OSError, ValueError, KeyError, TypeError):
            raise MissingError(name) from None

    def count(self, names: Sequence[str]) -> Counts:
        """What the rows of these inputs come to."""
        tally = _Tally()
        for _ in tally.through(score for name in names for score in self.of(name)):
            pass
        return tally.counts(len(names))

    def write(self, names: Sequence[str], terms: Sequence[str]) -> Counts:
        """Write tables, quarantine and summary, each whole or not at all."""
        tally = _Tally()
        with atomic(self._out / "quarantine.jsonl") as file:

            def rows() -> Iterator[FileScore]:
                for score in tally.through(score for name in names for score in self.of(name)):
                    if not score.scored:
                        line = {key: getattr(score, key) for key in ("name", "path", "status", "detail")}
                        file.write(json.dumps(line).encode() + b"\n")
                    yield score

            write_scores(self._out, rows(), terms)
        remove_events(self._out)
        if self._events:
            write_events(self._out, (score for name in names for score in self.of(name)))
        counts = tally.counts(len(names))
        write_text(self._out / "summary.json", json.dumps(asdict(counts), indent=2) + "\n")
        return counts

    def _place(self, name: str) -> Path:
        return output_path(self._failed, name, ".json")


class _Tally:
    """Counts rows on their way."""

    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._scored = self._alarms = 0

    def through(self, scores: Iterator[FileScore]) -> Iterator[FileScore]:
        for score in scores:
            self._states[score.status] += 1
            self._scored += score.scored
            self._alarms += bool(score.alarm)
            yield score

    def counts(self, inputs: int) -> Counts:
        states = dict(sorted(self._states.items()))
        return Counts(inputs, self._states.total(), self._scored, self._alarms, states)


def count_stale(out: Path, names: Sequence[str]) -> int:
    """Results on the disk that are of none of these inputs."""
    results = out / "results"
    own = {os.fspath(result_path(out, name).relative_to(results)) for name in names}
    there = walk(os.fspath(results), _pass_over) if results.is_dir() else ()
    return sum(name.endswith(".json") and name not in own for name, _ in there)


def _pass_over(_: InputError) -> None:
    """What is to be done about a folder that cannot be listed: nothing."""
