"""Parquet files: types, time, labels, and files that are none."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqflow.data.recording import Recording
from seqflow.data.series import open_series
from seqflow.errors import InputError
from seqflow.recipe.data import SeriesData


def save(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "file.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def one(path: Path, names: tuple[str, ...] | None = None, **keys: Any) -> Recording:
    config = SeriesData(kind="series", root=".", window=16, **keys)
    (recording,) = open_series(path, name=path.stem, config=config, names=names)
    return recording


def fault(path: Path, names: tuple[str, ...] | None = None, **keys: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        one(path, names, **keys)
    assert "\n" not in str(caught.value)
    return caught.value


def times(n: int, step: float = 60.0) -> list[datetime]:
    return [datetime(2024, 1, 1) + timedelta(seconds=step * i) for i in range(n)]


def test_columns_by_type(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        {
            "when": pa.array(times(4), pa.timestamp("us", "UTC")),
            "a": pa.array([1, 2, None, 4], pa.int16()),
            "b.c": pa.array([0.5, np.nan, 1.5, np.inf], pa.float64()),
            "on": pa.array([True, False, None, True]),
            "unit": ["V", "V", "V", "V"],
            "Label": pa.array([0, 0, 1, None], pa.int8()),
            "__index_level_0__": [0, 1, 2, 3],
        },
        row_group_size=3,
    )
    recording = one(path, label="Label")
    assert recording.channel_names == ("a", "b.c", "on")
    assert recording.rate == 1 / 60
    block = recording.read(0, 4)
    assert block.mask.tolist() == [
        [True, True, False, True],
        [True, False, True, False],
        [True, True, False, True],
    ]
    assert block.values.tolist() == [[1, 2, 0, 4], [0.5, 0, 1.5, 0], [1, 0, 0, 1]]
    assert recording.labels().tolist() == [False, False, True, False]  # type: ignore[union-attr]
    np.testing.assert_array_equal(one(path, names=("on", "a")).read(0, 4).values, block.values[[2, 0]])
    assert one(path, columns=["b.c"], channels="mono").channel_names == ()


@pytest.mark.parametrize(
    ("stamps", "rate"),
    [
        (pa.array(times(5), pa.timestamp("ns")), 1 / 60),
        (pa.array([t.date() for t in times(5, 86400.0)], pa.date32()), 1 / 86400),
        (pa.array([t.time() for t in times(5)], pa.time64("us")), 1 / 60),
        (pa.array([str(t) for t in times(5)]).dictionary_encode(), 1 / 60),
        (pa.array([0.0, 0.25, 0.5, 0.75, 1.0]), 4.0),
        (pa.array(range(1706658000000, 1706658000050, 10), pa.int64()), 100.0),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_time_of_any_type(tmp_path: Path, stamps: pa.Array, rate: float) -> None:
    recording = one(save(tmp_path, {"time": stamps, "x": range(5)}))
    assert recording.channel_names == ("x",)
    assert recording.rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("columns", "keys", "code", "says"),
    [
        ({"x": pa.array([], pa.float32())}, {}, "empty", "no rows"),
        ({"x": ["a", "b"]}, {}, "not_numeric", "no column of numbers"),
        ({"x": ["a", "b"], "y": [1, 2]}, {"columns": ["x"]}, "not_numeric", "'x' is of type string"),
        ({"x": [[1], [2]], "y": [1, 2]}, {"columns": ["x"]}, "not_numeric", "'x' is of type list"),
        ({"x": [1, 2], "Label": ["good", "bad"]}, {"label": "Label"}, "not_numeric", "'good'"),
        ({"x": [1, 2]}, {"columns": ["X"]}, "missing_column", "there are 'x'"),
        ({"x": [1, None]}, {"missing": "refuse"}, "nonfinite", "row 2, column 'x'"),
        ({"t": [0, 1, 1], "x": [1, 2, 3]}, {}, "duplicate_times", "row 3 has the time of row 2"),
        ({"t": [0, None, 1], "x": [1, 2, 3]}, {}, "timestamps", "row 2 has no time stamp"),
        ({"t": [0.0, np.nan, 1.0], "x": [1, 2, 3]}, {}, "timestamps", "row 2"),
    ],
)
def test_faults(tmp_path: Path, columns: dict[str, Any], keys: dict[str, Any], code: str, says: str) -> None:
    error = fault(save(tmp_path, columns), **keys)
    assert error.code == code
    assert says in error.detail


def test_files_that_are_no_parquet(tmp_path: Path) -> None:
    path = save(tmp_path, {"x": np.arange(5000.0)})
    content = path.read_bytes()
    for damaged in (
        content[:-10],
        content[: len(content) // 2],
        b"PAR1",
        b"PAR1" + bytes(50) + b"PAR1",
        b"a,b\n1,2\n",
    ):
        path.write_bytes(damaged)
        assert fault(path).code == "corrupt"
    pq.write_table(
        pa.table({"x": np.arange(5000.0)}),
        path,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(flipped)
    assert fault(path).code == "corrupt"
    other = tmp_path / "renamed.bin"
    other.write_bytes(content)
    assert one(other).length == 5000


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    flags = pa.array(np.zeros(1 << 20, dtype=np.bool_))
    pq.write_table(pa.table([flags] * 300, names=[f"c{i}" for i in range(300)]), path, compression="zstd")
    assert path.stat().st_size < 4 << 20
    assert fault(path).code == "too_large"
    assert one(path, columns=["c7"]).length == 1 << 20
