"""Events of recordings: where they are, how many of them chance makes, and what they are beside Simes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from block_calibration import block_calibration
from small import WINDOW, CutRecording, noise, recording, small_flow

from seqflow.flow import Flow
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, FileScore, calibrate, read_scores, score_recording
from seqflow.scoring.events import Events
from seqflow.scoring.judge import Block, Judge, Spot
from seqflow.scoring.results import write_events

HZ = 100.0
ONE_TERM = block_calibration(19)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return small_flow(rate=HZ)


@pytest.fixture(scope="module")
def calibration(flow: Flow) -> Calibration:
    """150 blocks of one window of 0.32 s; one begins every 0.16 s."""
    config = ScoreConfig(smoothing=(1, 8))
    held = [recording(noise(i, 1600), f"c{i}", rate=HZ) for i in range(3)]
    return calibrate(flow, held, config, window=WINDOW, unit="block")


def config(per_hour: float = 450.0, **keys: object) -> ScoreConfig:
    """450 an hour are 2% of the blocks."""
    return ScoreConfig(smoothing=(1, 8), alarms_per_hour=per_hour, **keys)  # type: ignore[arg-type]


def faulty(length: int = 4800) -> np.ndarray:
    """Normal but for 0.8 s from 20 s and 0.5 s from 35 s."""
    values = noise(900, length)
    values[:, 2000:2080] += 8.0 * np.random.default_rng(0).standard_normal(80)
    values[:, 3500:3550] *= 8.0
    return values


def test_short_faults_in_a_long_recording(flow: Flow, calibration: Calibration) -> None:
    given = recording(faulty(), rate=HZ)
    plain = score_recording(flow, given, ScoreConfig(smoothing=(1, 8), alarm_rate=0.02), calibration)
    assert plain.alarm is False and (plain.events, plain.events_expected, plain.event_list) == (
        None,
        None,
        (),
    )
    found = score_recording(flow, given, config(), calibration)
    assert found.alarm and found.events == len(found.event_list)
    # The p-value, the score and the worst interval are what they were.
    assert (
        replace(found, alarm=False, events=None, events_expected=None, event_list=(), detail=plain.detail)
        == plain
    )
    strong = sorted(found.event_list, key=lambda event: -event.score)[:2]
    for event, (start, end) in zip(
        sorted(strong, key=lambda e: e.start), ((20, 20.8), (35, 35.5)), strict=True
    ):
        assert start - 0.64 <= event.start <= start and end <= event.end <= end + 0.64
        assert start - 0.1 <= event.peak <= end + 0.1
        assert event.p_value == pytest.approx(1 / 151) and event.blocks >= 3
    assert found.events_expected == pytest.approx(299 * 0.02)
    assert found.events is not None and found.events <= 2 + 3 * found.events_expected
    assert not score_recording(flow, recording(noise(901, 160), rate=HZ), config(), calibration).event_list


def test_events_do_not_depend_on_how_the_recording_is_read(flow: Flow, calibration: Calibration) -> None:
    whole = score_recording(flow, recording(faulty(), rate=HZ), config(batch=7), calibration)
    cut = CutRecording(faulty(), [1, 700, 33], rate=HZ)
    assert score_recording(flow, cut, config(batch=7), calibration).event_list == whole.event_list
    part = recording(faulty(), rate=HZ).part(1600, 4800)
    moved = score_recording(flow, part, config(), calibration)
    # Seconds of the whole recording.
    assert any(abs(event.peak - 20.4) < 0.6 for event in moved.event_list)


def test_missing_samples_and_states(flow: Flow, calibration: Calibration) -> None:
    values = faulty()
    values[:, 2000:2080] = np.nan
    found = score_recording(flow, recording(values, rate=HZ), config(), calibration)
    assert found.status == "nonfinite" and found.alarm
    assert all(not 20.0 < event.peak < 20.8 for event in found.event_list)
    silent = score_recording(flow, recording(np.zeros(800), rate=HZ, kind="audio"), config(), calibration)
    assert (silent.status, silent.events, silent.event_list, silent.alarm) == ("silent", None, (), None)


def test_blocks_are_where_their_windows_are() -> None:
    blocks: list[Block] = []
    judge = Judge(ONE_TERM, on_block=blocks.append)
    starts = [0, 4, 8, 12, 40, 44, 48]  # samples are missing in between
    spots = [Spot(start, float(start == 40), start + 5) for start in starts]
    judge.add(np.zeros((4, 1)), spots[:4])
    judge.add(np.zeros((3, 1)), spots[4:])
    judge.judgement()
    # The last window is left: it is judged with the two before it.
    assert [(one.start, one.end, one.peak) for one in blocks] == [(0, 16, 5), (12, 52, 45), (40, 56, 45)]


def test_no_more_false_events_than_expected_on_average() -> None:
    """Blocks that depend on each other, over calibrations: events per block are at most the rate."""
    rng = np.random.default_rng(0)
    events = blocks = 0
    rate = 0.05
    for _ in range(400):
        level = 0.7 * np.repeat(rng.standard_normal(26), 4)[:, None]
        values = level + 0.7 * rng.standard_normal((104, 1))
        own = replace(ONE_TERM, units=values[rng.permutation(104)[:39]], per_unit=1)
        counter = Events(rate, 1, 2)

        def take(block: Block, counter: Events = counter) -> None:
            counter.add(block)

        judge = Judge(own, on_block=take)
        new = 0.7 * np.repeat(rng.standard_normal(26), 4)[:, None] + 0.7 * rng.standard_normal((104, 1))
        judge.add(new, [Spot(8 * i, 0.0, 8 * i) for i in range(104)])
        judge.judgement()
        events, blocks = events + counter.count, blocks + 104
    assert 0.3 * rate < events / blocks <= rate


def test_tables_of_events(flow: Flow, calibration: Calibration, tmp_path: Path) -> None:
    scores = [
        replace(score_recording(flow, recording(faulty(), name, rate=HZ), config(), calibration), path="p")
        for name in ("=a", "b")
    ]
    for path in write_events(tmp_path, scores):
        import pyarrow.csv
        import pyarrow.parquet

        read = pyarrow.csv.read_csv if path.suffix == ".csv" else pyarrow.parquet.read_table
        rows = read(path).to_pylist()
        assert [row["event"] for row in rows] == 2 * list(range(1, len(scores[0].event_list) + 1))
        assert rows[0]["name"] == ("'=a" if path.suffix == ".csv" else "=a")
        assert (
            rows[0]["peak"] == scores[0].event_list[0].peak
            and rows[0]["blocks"] == scores[0].event_list[0].blocks
        )
    assert FileScore.from_row(scores[0].record()) == scores[0]
    write_events(tmp_path, [])
    assert (tmp_path / "events.csv").read_text().startswith('"name","path","event"')
    with pytest.raises(Exception, match="no table of scores"):
        read_scores(tmp_path / "events.csv")
