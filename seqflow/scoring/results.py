"""Scores of recordings as values, rows and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from ..errors import InputError
from ..files import atomic
from .ranked import RankedInterval
from .term import Array

Row = dict[str, Any]

_KINDS = {
    **dict.fromkeys(("name", "path", "status", "detail", "p_source", "unit"), pa.string()),
    **dict.fromkeys(("samples", "events", "event", "blocks"), pa.int64()),
    "alarm": pa.bool_(),
}
COLUMNS = (
    *("name", "path", "status", "detail", "samples", "rate", "duration", "nll", "bits"),
    *("score", "p_value", "p_source", "alarm", "unit", "worst_start", "worst_end"),
    *("events", "events_expected"),
)
"""Columns of every table of scores; `term_NAME` and `p_value_NAME` follow, one for each term."""

_TERM, _P_VALUE = "term_", "p_value_"
_PLAIN = frozenset(COLUMNS)

# A spreadsheet takes a cell that begins like this for a formula, or takes the apostrophe away.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_ROWS = 4096


@dataclass(frozen=True)
class FileEvent:
    """Blocks in a row that are unusual.

    Attributes:
        start, end, peak: seconds; the end is exclusive, the peak the place to look at first.
        known: seconds; the end of its first block: earlier nobody could know.
        score, p_value: the highest score and the lowest p-value of its blocks.
        blocks: how many keep it going.
    """

    start: float
    end: float
    peak: float
    known: float
    score: float
    p_value: float
    blocks: int


@dataclass(frozen=True)
class FileScore:
    """The score of one recording.

    Attributes:
        name, path: of the recording.
        status: "ok" or a reason code; `detail` says more. A recording without a score has None below.
        samples: per channel, as many as could be read.
        rate: Hz; None for data without a clock.
        duration: seconds; None without a rate.
        nll: negative log-density in nats per sample, mean over the samples scored, each counted once.
        bits: (nll - ln step)/ln 2, bits per sample at the recording's quantisation step; None without one.
        score: fused score of the terms, larger is more unusual; of the worst block where `unit` is "block".
        p_value: of the recording; Simes' combination of those of its blocks.
        p_source: "conformal", or "pareto" where a fitted tail, a model, had a say.
        alarm: whether the p-value is at most the alarm rate; with alarms per hour, whether there is an event;
            None where its class has too few calibration units.
        unit: what the calibration compares: "recording" or "block".
        worst_start, worst_end: the worst interval, end exclusive: seconds, or samples without a rate.
        terms: value of each term, of the recording or the worst block.
        term_p_values: conformal p-value of the recording by each term alone, combined as `p_value`.
        intervals: the worst ones, the highest first; none unless asked for.
        events: how many there are, with alarms per hour; `event_list` holds them. None without.
        events_expected: how many false ones there are on average, at most, where all is normal.
        arrays: per-sample values (T,) by term, and `place`, NaN where not scored; None unless asked for.
        windows: "start" (first samples) and per-window values by term; None unless asked for.
    """

    name: str
    path: str
    status: str
    detail: str = ""
    samples: int = 0
    rate: float | None = None
    duration: float | None = None
    nll: float | None = None
    bits: float | None = None
    score: float | None = None
    p_value: float | None = None
    p_source: str | None = None
    alarm: bool | None = None
    unit: str | None = None
    worst_start: float | None = None
    worst_end: float | None = None
    events: int | None = None
    events_expected: float | None = None
    event_list: tuple[FileEvent, ...] = ()
    terms: Mapping[str, float] = field(default_factory=dict)
    term_p_values: Mapping[str, float] = field(default_factory=dict)
    intervals: tuple[RankedInterval, ...] = ()
    arrays: Mapping[str, Array] | None = None
    windows: Mapping[str, Array] | None = None

    @property
    def scored(self) -> bool:
        """Whether the recording could be scored."""
        return self.nll is not None

    @classmethod
    def failed(cls, name: str, error: InputError) -> FileScore:
        """The row of a recording that cannot be read: its reason code, and no score."""
        return cls(name=name, path=error.path, status=error.code, detail=error.detail)

    def row(self) -> Row:
        """Flat row for a table: COLUMNS, then `term_NAME`, then `p_value_NAME`. Without arrays and events."""
        plain = {column: getattr(self, column) for column in COLUMNS}
        values = {f"{_TERM}{name}": value for name, value in self.terms.items()}
        return plain | values | {f"{_P_VALUE}{name}": p for name, p in self.term_p_values.items()}

    def record(self) -> Row:
        """The row, and in `event_list` the events, plain values: for JSON."""
        return self.row() | (
            {} if self.events is None else {"event_list": [asdict(one) for one in self.event_list]}
        )

    @classmethod
    def from_row(cls, row: Row) -> FileScore:
        """The inverse of `row` and `record`. Raises KeyError or TypeError for a row of another kind."""
        terms: dict[str, float] = {}
        p_values: dict[str, float] = {}
        for name, value in row.items():
            if name in _PLAIN or value is None:
                continue
            if name.startswith(_TERM):
                terms[name.removeprefix(_TERM)] = value
            elif name.startswith(_P_VALUE):
                p_values[name.removeprefix(_P_VALUE)] = value
        return cls(
            **{name: row[name] for name in COLUMNS},
            terms=terms,
            term_p_values=p_values,
            event_list=tuple(FileEvent(**event) for event in row.get("event_list", ())),
        )


def write_scores(
    folder: Path, scores: Iterable[FileScore], terms: Sequence[str], stem: str = "scores"
) -> tuple[Path, Path]:
    """Write `STEM.parquet` and `STEM.csv` into the folder, one row for each recording in the order given.

    `terms` names the columns `term_NAME` and `p_value_NAME`. Each file appears complete or not at all; memory
    does not grow with the number of rows. In the CSV, text that a spreadsheet would take for a formula gets
    an apostrophe in front; the Parquet file holds the text as it is. Numbers are written with as
    many digits as bring them back exactly. Raises ResourceError where the files cannot be written.
    """
    parquet, table = folder / f"{stem}.parquet", folder / f"{stem}.csv"
    names = [*COLUMNS, *(f"{prefix}{name}" for prefix in (_TERM, _P_VALUE) for name in terms)]
    _write(parquet, table, (score.row() for score in scores), names)
    return parquet, table


def write_events(folder: Path, scores: Iterable[FileScore]) -> tuple[Path, Path]:
    """Write `events.parquet` and `events.csv` into the folder, one row an event, as `write_scores` does.

    Columns: `name` and `path` of the recording, `event`, its number there, and those of `FileEvent`.
    """
    parquet, table = folder / "events.parquet", folder / "events.csv"
    rows = (
        {"name": score.name, "path": score.path, "event": number, **asdict(event)}
        for score in scores
        for number, event in enumerate(score.event_list, 1)
    )
    _write(parquet, table, rows, ["name", "path", "event", *(field.name for field in fields(FileEvent))])
    return parquet, table


def remove_events(folder: Path) -> None:
    """Remove tables of events that are those of another run."""
    for ending in ("parquet", "csv"):
        (folder / f"events.{ending}").unlink(missing_ok=True)


def _write(parquet: Path, table: Path, rows: Iterable[Row], names: Sequence[str]) -> None:
    schema = pa.schema([(name, _KINDS.get(name, pa.float64())) for name in names])
    with ExitStack() as stack:
        files = [stack.enter_context(atomic(path)) for path in (parquet, table)]
        to_parquet = stack.enter_context(pyarrow.parquet.ParquetWriter(files[0], schema))
        to_csv = stack.enter_context(pyarrow.csv.CSVWriter(files[1], schema))
        for part in _tables(rows, schema):
            to_parquet.write_table(part)
            to_csv.write_table(_guarded(part))


def read_scores(path: Path) -> list[Row]:
    """Rows of a table of scores, CSV or Parquet by the name's ending; missing values are None.

    Raises InputError for a file that is no table of scores.
    """
    try:
        table = _read_csv(path) if path.suffix == ".csv" else pyarrow.parquet.read_table(path)
        if not set(COLUMNS) <= set(table.column_names):
            raise ValueError(f"has the columns {', '.join(table.column_names)}")
        rows: list[Row] = table.to_pylist()
        return rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(path, "corrupt", f"no table of scores ({error})") from error


def guard(text: str) -> str:
    """The text with an apostrophe in front, where a spreadsheet would take it for a formula or drop one."""
    return "'" + text if text.startswith(_FORMULA) else text


def _tables(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.Table]:
    cleaned = map(_clean, rows)
    while part := list(islice(cleaned, _ROWS)):
        yield pa.Table.from_pylist(part, schema=schema)


def _clean(row: Row) -> Row:
    """File names may hold bytes that are no UTF-8: they are shown as escapes."""
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in row.items()
    }


def _texts(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if table.schema.field(name).type == pa.string()]


def _guarded(table: pa.Table) -> pa.Table:
    for name in _texts(table):
        column = [None if text is None else guard(text) for text in table[name].to_pylist()]
        table = table.set_column(table.column_names.index(name), name, pa.array(column, pa.string()))
    return table


def _read_csv(path: Path) -> pa.Table:
    convert = pyarrow.csv.ConvertOptions(
        column_types={name: _KINDS.get(name, pa.float64()) for name in COLUMNS},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(path, parse_options=parse, convert_options=convert)
    for index, name in enumerate(table.column_names):
        if name in _texts(table):
            table = table.set_column(index, name, pc.replace_substring_regex(table[name], "^'", ""))
        elif name.startswith((_TERM, _P_VALUE)):
            table = table.set_column(index, name, table[name].cast(pa.float64()))
    return table
