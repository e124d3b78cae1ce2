"""Bytes in any pieces become the same rows; what is no row says why."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from seqflow.errors import UsageError
from seqflow.live.csv_rows import CsvRows
from seqflow.live.json_rows import JsonRows
from seqflow.live.lines import MOST_LINE, Lines
from seqflow.live.pcm import Pcm
from seqflow.live.row import Bad, Decoder, Row


def rows(decoder: Decoder, *pieces: bytes) -> list[Row | Bad]:
    return [item for piece in pieces for item in decoder.feed(piece)] + decoder.finish()


def values(found: list[Row | Bad]) -> np.ndarray:
    return np.concatenate([item.values for item in found if isinstance(item, Row)], axis=1)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("u8", "PCM_U8"), ("s16le", "PCM_16"), ("s24le", "PCM_24"), ("s32le", "PCM_32"), ("f32le", "FLOAT")],
)
def test_samples_are_scaled_as_soundfile_does(name: str, subtype: str) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    x[0], x[1] = 1.0, -1.0
    file = io.BytesIO()
    soundfile.write(file, x, 8000, subtype=subtype, format="RAW", endian="LITTLE")
    raw = file.getvalue()
    file.seek(0)
    expected, _ = soundfile.read(
        file, dtype="float32", channels=2, samplerate=8000, subtype=subtype, format="RAW", endian="LITTLE"
    )
    pieces = [raw[at : at + 7] for at in range(0, len(raw), 7)]
    np.testing.assert_array_equal(values(rows(Pcm(name, 2), *pieces)), expected.T)


def test_a_replay_passes_over_what_was_consumed() -> None:
    raw = np.arange(20, dtype="<f4").tobytes()
    first, second = Pcm("f32le", 2), Pcm("f32le", 2)
    first.feed(raw[:35])  # 4 frames and a bit
    second.restore(first.state())
    second.replay()
    assert first.consumed() == 4
    np.testing.assert_array_equal(values(rows(second, raw[:5], raw[5:]))[0], np.arange(8, 20, 2))
    with pytest.raises(UsageError, match="none of"):
        Pcm("s16", 1)


TEXT = b'{"values": [1.5]}\n\n{"n": 3, "values": [[2], [null]]}\r\nnonsense\n{"values": ["1"]}'


@given(st.lists(st.integers(0, len(TEXT)), max_size=6))
def test_lines_may_be_cut_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    found = rows(Lines(JsonRows(1, (), None)), *(TEXT[a:b] for a, b in pairwise(edges)))
    np.testing.assert_array_equal(values(found), [[1.5, 2.0, np.nan]])
    assert [item for item in found if isinstance(item, Bad)] == [
        Bad(4, "is not JSON"),
        Bad(5, "'1' is not a number"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1, 2]", "no JSON object"),
        ('{"values": []}', "no list"),
        ('{"values": [1]}', "has 1 value, the model 2"),
        ('{"a": 1}', "lacks the channel 'b'"),
        ('{"values": [1, true]}', "not a number"),
        ('{"values": [1, 1' + "0" * 400 + "]}", "beyond all measure"),
        ('{"n": 1.5, "values": [1, 2]}', "no sequence number"),
        ('{"t": "yesterday", "values": [1, 2]}', "is no time"),
        ("[" * 100_000, "is not JSON"),
        ('{"values": [' + "1" * 5000 + ", 2]}", ""),
    ],
)
def test_lines_that_cannot_be_used_say_why(line: str, reason: str) -> None:
    (found,) = rows(Lines(JsonRows(2, ("a", "b"), 1.0)), line.encode())
    assert isinstance(found, Bad) and reason in found.reason


def test_an_endless_line_takes_no_memory() -> None:
    found = rows(Lines(JsonRows(1, (), None)), *[b"x" * (1 << 16)] * 40, b"\n", b'{"values": [1]}\n')
    assert isinstance(found[0], Bad) and f"longer than {MOST_LINE}" in found[0].reason
    assert isinstance(found[1], Row)


@pytest.mark.parametrize(
    "stamp", ["2024-05-01T12:00:00Z", "2024-05-01 14:00:00+02:00", 1714564800, 1714564800000, 1714564800.0]
)
def test_times_in_common_forms(stamp: object) -> None:
    (found,) = rows(Lines(JsonRows(1, (), 2.0)), json.dumps({"t": stamp, "values": [1]}).encode())
    assert isinstance(found, Row) and (found.time, found.key, found.exact) == (
        1714564800.0,
        3429129600.0,
        False,
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("t;b;a\n10;1;2\n11;;3\n", 20.0),
        ("n,a,b\n7,2,1\n8,3,NA\n", 7.0),
        ("2,1\n3,nan\n", None),
        ("2024-05-01T12:00:00\t2\t1\n2024-05-01T12:00:01\t3\t-\n", 3429129600.0),
    ],
)
def test_csv_by_name_and_by_order(text: str, first: float | None) -> None:
    found = rows(Lines(CsvRows(2, ("a", "b"), 2.0)), text.encode())
    np.testing.assert_array_equal(values(found), [[2.0, 3.0], [1.0, np.nan]])
    assert isinstance(found[0], Row) and found[0].key == first


def test_csv_faults_and_decimal_commas() -> None:
    found = rows(Lines(CsvRows(2, (), None, ",")), b"1,5;1\nx;1\n# remark\n2;3;4\n")
    assert values(found).tolist() == [[1.5], [1.0]]
    reasons = [item.reason for item in found if isinstance(item, Bad)]
    assert len(reasons) == 2 and "not a number" in reasons[0] and "cells" in reasons[1]
