"""Time stamps: rates, every way of writing them, and each policy for what is not regular."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.recording import Recording
from seqflow.data.series import open_series
from seqflow.errors import InputError
from seqflow.recipe.data import SeriesData

T0 = datetime(2024, 1, 30, 23, 58, 30)


def table(folder: Path, stamps: list[Any], header: str = "timestamp") -> Path:
    """Stamps, and beside them the values 1, 2, 3 and so on, and labels on even values."""
    path = folder / "file.csv"
    rows = [f'"{stamp}",{i},{1 - i % 2}' for i, stamp in enumerate(stamps, start=1)]
    path.write_text("\n".join([f"{header},x,Label", *rows]), encoding="utf-8")
    return path


def parts(path: Path, strict: bool = False, **keys: Any) -> list[Recording]:
    config = SeriesData(kind="series", root=".", window=16, **({"label": "Label"} | keys))
    return open_series(path, name="x", config=config, strict=strict)


def fault(path: Path, strict: bool = False, **keys: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        parts(path, strict, **keys)
    assert "\n" not in str(caught.value)
    return caught.value


def samples(recording: Recording) -> list[int]:
    """Values, 0 where masked; every label must have stayed with its value."""
    block = recording.read(0, recording.length)
    found = [int(x) if valid else 0 for x, valid in zip(block.values[0], block.mask[0], strict=True)]
    labels = recording.labels()
    assert labels is not None
    assert labels.tolist() == [x > 0 and x % 2 == 0 for x in found]
    return found


@pytest.mark.parametrize(
    ("form", "rate"),
    [
        ("%Y-%m-%d %H:%M:%S", 1 / 30),
        ("%Y-%m-%dT%H:%M:%SZ", 1 / 30),
        ("%Y-%m-%dT%H:%M:%S.250+01:00", 1 / 30),
        ("%Y-%m-%d %H:%M:%S,5", 1 / 30),
        ("%Y/%m/%d %H:%M:%S", 1 / 30),
        ("%d.%m.%Y %H:%M:%S", 1 / 30),
        ("%d/%m/%y %H:%M:%S", 1 / 30),
        ("%m/%d/%Y %I:%M:%S %p", 1 / 30),
        ("%m-%d-%Y %H:%M:%S UTC", 1 / 30),
        ("%Y%m%dT%H%M%S", 1 / 30),
        ("%Y%m%d%H%M%S", 1 / 30),
    ],
)
def test_ways_to_write_a_date(tmp_path: Path, form: str, rate: float) -> None:
    stamps = [(T0 + timedelta(seconds=30 * i)).strftime(form) for i in range(8)]  # across midnight and months
    (recording,) = parts(table(tmp_path, stamps))
    assert recording.rate == rate
    assert recording.channel_names == ("x",)


@pytest.mark.parametrize(
    ("stamps", "rate"),
    [
        ([1706658000 + 60 * i for i in range(5)], 1 / 60),
        ([1706658000000 + 20 * i for i in range(5)], 50.0),
        ([1706658000000000 + 4 * i for i in range(5)], 250_000.0),
        ([1706658000000000000 + 125_000 * i for i in range(5)], 8000.0),
        ([f"{1706658000 + i / 50:.2f}" for i in range(5)], 50.0),
        ([0.0, 0.1, 0.2, 0.3], 10.0),
        ([5, 6, 7], 1.0),
        (["23:10", "23:20", "23:30"], 1 / 600),
        (["2024-02-28", "2024-02-29", "2024-03-01"], 1 / 86400),
        # To the millisecond, at 128 Hz: steps of 7 and 8 ms are the rounding, and no jitter.
        ([f"{round(i / 128, 3):.3f}" for i in range(1281)], 128.0),
    ],
)
def test_rates(tmp_path: Path, stamps: list[Any], rate: float) -> None:
    (recording,) = parts(table(tmp_path, stamps))
    assert recording.rate == pytest.approx(rate, rel=1e-9)


def test_time_is_found_by_its_name_or_told(tmp_path: Path) -> None:
    stamps = [0, 2, 4]
    for name in ("Time", "timestamp", "DATE", "t", "ds", "DateTime"):
        (recording,) = parts(table(tmp_path, stamps, name))
        assert (recording.rate, recording.channel_names) == (0.5, ("x",))
    path = table(tmp_path, stamps, "clock")
    assert parts(path)[0].channel_names == ("clock", "x")
    assert parts(path, time="clock")[0].rate == 0.5
    assert parts(table(tmp_path, stamps), time=None)[0].channel_names == ("timestamp", "x")


def test_date_and_time_of_day_in_two_columns(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("Date;Time;x\n16/12/2006;17:24:00;1\n16/12/2006;17:25:00;2\n16/12/2006;17:26:00;3\n")
    (recording,) = parts(path, label=None)
    assert (recording.rate, recording.channel_names) == (1 / 60, ("x",))


def test_day_or_month_first_is_settled_by_the_steps(tmp_path: Path) -> None:
    days = [(datetime(2024, 3, 30) + timedelta(days=i)).strftime("%d.%m.%Y") for i in range(4)]
    assert parts(table(tmp_path, days[2:]))[0].rate == 1 / 86400  # 01.04. and 02.04.
    assert parts(table(tmp_path, ["01/02/2024", "01/03/2024", "01/04/2024"]))[0].rate == 1 / 86400
    assert parts(table(tmp_path, days))[0].rate == 1 / 86400


def test_the_rate_of_the_recipe(tmp_path: Path) -> None:
    assert parts(table(tmp_path, [0, 1, 2]), rate=1000.0)[0].rate == 1000.0  # milliseconds, it turns out
    dates = [f"2024-01-01 00:0{i}:00" for i in range(5)]
    assert parts(table(tmp_path, dates), rate=0.0167)[0].rate == 0.0167
    error = fault(table(tmp_path, dates), rate=1.0)
    assert error.code == "wrong_rate"
    assert parts(table(tmp_path, dates), rate=1.0, time=None)[0].rate == 1.0
    assert parts(table(tmp_path, ["2024-01-01"]))[0].rate is None


@pytest.mark.parametrize(
    ("stamps", "code", "says"),
    [
        ([0, 1, 1, 2], "duplicate_times", "row 4 has the time of row 3"),
        ([0, 1, 2, 4, 3, 5, 6, 7], "timestamps", "row 5 comes 2 s after row 4"),
        ([0, 1, 2, 1.5, 3], "timestamps", "row 5 lies 0.5 s before row 4"),
        ([0, 10, 20, 55, 65], "timestamps", "row 5 comes 35 s after row 4, where the step is 10 s"),
        ([0.0, 1.0, 2.0, 2.85, 3.85], "timestamps", "row 5 comes 0.85 s after row 4, an uneven step"),
        ([7, 7, 7], "duplicate_times", "row 3"),
        ([3, 2, 1], "timestamps", "row 3 is not later than row 2"),
        (["2024-01-01", "soon", "2024-01-03"], "timestamps", "row 3: 'soon'"),
        (["2024-02-28", "2024-02-30"], "timestamps", "row 3: '2024-02-30'"),
        ([0, 1, "", 3], "timestamps", "row 4 has no time stamp"),
        ([0, 1, "inf", 3], "timestamps", "row 4: 'inf'"),
        (
            ["2024-10-27 02:30", "2024-10-27 02:45", "2024-10-27 02:00", "2024-10-27 02:15"],
            "timestamps",
            "row 4 lies 2700 s before row 3 (one hour: daylight saving?",
        ),
        (
            ["2024-03-31 01:30", "2024-03-31 01:45", "2024-03-31 03:00", "2024-03-31 03:15"],
            "timestamps",
            "daylight saving?",
        ),
    ],
)
def test_faults_in_time_name_their_row(tmp_path: Path, stamps: list[Any], code: str, says: str) -> None:
    error = fault(table(tmp_path, stamps))
    assert error.code == code
    assert says in error.detail


def test_daylight_saving_written_with_offsets_is_no_fault(tmp_path: Path) -> None:
    stamps = ["2024-10-27T02:30+02:00", "2024-10-27T02:00+01:00", "2024-10-27T02:30+01:00"]
    assert parts(table(tmp_path, stamps))[0].rate == 1 / 1800


def test_small_jitter_is_regular(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stamps = np.arange(200) + rng.uniform(-0.004, 0.004, 200)
    (recording,) = parts(table(tmp_path, stamps.tolist()))
    assert recording.rate == pytest.approx(1.0, rel=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 5]), min_size=4, max_size=60),
    order=st.randoms(use_true_random=False),
)
def test_policies(tmp_path_factory: pytest.TempPathFactory, steps: list[int], order: Any) -> None:
    steps = [1, *steps, 1] if np.median(steps) == 1 else [1] * len(steps)
    slots = np.concatenate([[0], np.cumsum(steps)])
    folder = tmp_path_factory.mktemp("csv")
    stamps = [f"2024-01-01 {slot // 60:02d}:{slot % 60:02d}:00" for slot in slots.tolist()]
    path = table(folder, stamps)
    n = len(stamps)
    expected = np.zeros(slots[-1] + 1, dtype=int)
    expected[slots] = np.arange(1, n + 1)
    (masked,) = parts(path, irregular="mask")
    assert samples(masked) == expected.tolist()
    assert (masked.rate, masked.status) == (1 / 60, "ok")

    stretches = parts(path, irregular="split")
    assert [x for part in stretches for x in samples(part)] == list(range(1, n + 1))
    assert [part.start for part in stretches] == [samples(part)[0] - 1 for part in stretches]
    names = [f"x#{i}" for i in range(1, len(stretches) + 1)]
    assert [part.name for part in stretches] == (names if len(names) > 1 else ["x"])
    gaps = sum(step > 1 for step in steps)
    assert len(stretches) == gaps + 1
    if gaps:
        assert fault(path).code == fault(path, irregular="sort").code == "timestamps"

    # Rows in any order: mask and sort know the time of each.
    rows = list(zip(stamps, range(1, n + 1), strict=True))
    order.shuffle(rows)
    path.write_text("\n".join(["timestamp,x,Label", *(f"{t},{i},{1 - i % 2}" for t, i in rows)]))
    assert samples(parts(path, irregular="mask")[0]) == expected.tolist()
    if not gaps:
        assert samples(parts(path, irregular="sort")[0]) == list(range(1, n + 1))


def test_newest_first_is_turned_round(tmp_path: Path) -> None:
    path = table(tmp_path, [*range(9, -1, -1)])
    assert "set data.time" in str(fault(path))
    for policy in ("sort", "mask"):
        (recording,) = parts(path, irregular=policy)
        assert samples(recording) == [*range(10, 0, -1)]
        assert (recording.rate, recording.status) == (1.0, "ok")


def test_rows_that_share_a_time_are_left_out_and_told(tmp_path: Path) -> None:
    stamps = [*range(10), 9, 9.2, 10, 11, 14, 15, *range(16, 40)]
    path = table(tmp_path, stamps)
    (recording,) = parts(path, irregular="mask")
    assert samples(recording)[8:17] == [9, 10, 13, 14, 0, 0, 15, 16, 17]
    assert recording.status == "duplicate_times"
    assert "2 in all, row 12 first" in recording.detail
    assert fault(path, strict=True, irregular="mask").code == "duplicate_times"
    assert fault(path, irregular="sort").code == "duplicate_times"
    # Where most rows share a time, the stamps are of no use.
    error = fault(table(tmp_path, [i // 2 for i in range(40)]), irregular="mask")
    assert error.code == "duplicate_times"


def test_a_wrong_date_does_not_fill_the_memory(tmp_path: Path) -> None:
    stamps = ["2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 00:00:02", "2042-01-01 00:00:03"]
    error = fault(table(tmp_path, stamps), irregular="mask")
    assert "row 5 comes 6575 days" in error.detail
    assert [part.length for part in parts(table(tmp_path, stamps), irregular="split")] == [3, 1]


def test_stamps_that_are_uneven_throughout_are_not_cut_to_pieces(tmp_path: Path) -> None:
    stamps = np.cumsum(np.random.default_rng(1).uniform(0.5, 2.0, 100)).tolist()
    assert fault(table(tmp_path, stamps), irregular="split").code == "timestamps"
