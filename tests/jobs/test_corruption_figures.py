"""Corrupted recordings judged: states, shares found, rates that can be promised, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small import noise, recording, small_model

from seqflow.corruptions import CORRUPTIONS
from seqflow.data.recording import ArrayRecording
from seqflow.errors import UsageError
from seqflow.flow import Flow
from seqflow.jobs import corruption_scores
from seqflow.jobs.benchmark_corruptions import benchmark_corruptions
from seqflow.jobs.corruption_figures import ALONE, Figure, Row, make_rows, used_rates
from seqflow.jobs.corruption_scores import Judged, Outcome, judge_corrupted, random_for
from seqflow.model import Model
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Apart, Calibration, judge_apart, score_recording


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in")
    for index in range(6):
        soundfile.write(root / f"{index}.wav", 0.1 * noise(200 + index).T, 8000, subtype="PCM_16")
    return root


def outcome(value: float | None, p: float = 1.0, status: str = "ok") -> Outcome:
    if value is None:
        return Outcome(status, {}, {})
    return Outcome(status, {"score": value, "nll": -value}, {"score": p, "nll": 1.0})


def rows_of(clean: list[Outcome], changed: list[Outcome]) -> Mapping[str, Row]:
    judged = [
        Judged(str(index), own, dict.fromkeys(CORRUPTIONS, copy))
        for index, (own, copy) in enumerate(zip(clean, changed, strict=True))
    ]
    return {row.name: row for row in make_rows(judged, ["nll"], (0.01, 0.05), 0)}


def test_areas_and_shares() -> None:
    clean = [outcome(value, p) for value, p in ((1.0, 0.5), (2.0, 0.03), (3.0, 0.5), (4.0, 0.5))]
    changed = [outcome(value, p) for value, p in ((2.5, 0.5), (5.0, 0.05), (5.0, 0.01), (0.0, 0.5))]
    rows = rows_of(clean, changed)
    assert list(rows) == ["clean", *CORRUPTIONS, "mean"]
    found = rows["tone"].figures["score"]
    # 2.5 beats 2 of 4, both 5 beat all, 0 none.
    assert found.area is not None and found.area.mean == pytest.approx(10 / 16)
    assert found.area.low < 10 / 16 < found.area.high and found.area.units == 4
    assert found.found == (0.25, 0.5) and (found.copies, found.left_out) == (4, 0)
    assert rows["tone"].figures["nll"].area is not None
    assert rows["tone"].figures["nll"].area.mean == pytest.approx(6 / 16)
    assert rows["clean"].figures["score"].found == (0.0, 0.25)
    assert rows["clean"].figures["nll"].found == (0.0, 0.0)
    # The same copies in every corruption: the mean is no more certain than each.
    assert rows["mean"].figures["score"].area == found.area
    assert rows["mean"].figures["score"].copies == len(CORRUPTIONS)


def test_states_are_found_and_terms_do_without() -> None:
    clean = [outcome(1.0), outcome(2.0), outcome(3.0, status="clipped"), outcome(4.0)]
    changed = [
        outcome(None, status="silent"),
        outcome(0.0, status="clipped"),
        outcome(0.0, status="clipped"),
        outcome(0.0),
    ]
    rows = rows_of(clean, changed)
    row = rows["tone"]
    # The third was clipped as it was: no news.
    assert row.states == {"clipped": 1, "silent": 1} and row.unscored == 1
    joined, alone, nll = (row.figures[name] for name in ("score", ALONE, "nll"))
    assert joined.area is not None and joined.area.mean == pytest.approx(0.5)
    assert joined.found == (0.5, 0.5) and (joined.copies, joined.left_out) == (4, 0)
    for one in (alone, nll):
        assert (one.copies, one.left_out) == (3, 1) and one.found == (0.0, 0.0)
    assert alone.area is not None and alone.area.mean == 0.0
    assert nll.area is not None and nll.area.mean == 1.0
    assert rows["clean"].states == {"clipped": 1}


def test_without_any_score() -> None:
    rows = rows_of([outcome(1.0), outcome(2.0)], [outcome(None, status="silent")] * 2)
    assert rows["tone"].figures["nll"] == Figure(0, 2, None, None)
    assert rows["mean"].figures["nll"] == Figure(0, len(CORRUPTIONS), None, None)
    joined = rows["mean"].figures["score"]
    assert joined.area is not None and joined.area[:3] == (1.0, 1.0, 1.0) and joined.found == (1.0, 1.0)


def test_rates_that_a_calibration_can_promise() -> None:
    assert used_rates(99) == (0.01, 0.05)
    assert used_rates(98) == (1 / 99, 0.05)
    assert used_rates(19) == (0.05,)
    assert used_rates(9) == (0.1,)


@pytest.mark.parametrize("kind", ["audio", "series"])
def test_with_and_without_a_clock(kind: str) -> None:
    rate = 8000.0 if kind == "audio" else None
    own = small_model(kind, rate)

    def fresh(index: int, name: str | None = None) -> ArrayRecording:
        return recording(0.1 * noise(300 + index), name or f"r{index}", rate=rate, kind=kind)

    assert own.calibration is not None
    told: list[tuple[int, int, str]] = []

    def judge(which: list[int], seed: int = 0) -> list[Judged]:
        chosen = [fresh(i) for i in which]
        found, failed = judge_corrupted(
            own,
            own.recipe.score,
            own.calibration,
            chosen,
            seed,
            lambda *event: told.append(event),  # type: ignore[arg-type]
        )
        assert not failed
        return found

    judged = judge([0, 1, 2, 3])
    assert told[0] == (0, 4, "r0") and told[-1][:2] == (4, 4)
    # A copy depends on its recording and the seed alone.
    assert judge([3, 1]) == [judged[3], judged[1]]
    assert judge([0], seed=1)[0].changed["noise"] != judged[0].changed["noise"]
    one, other = (random_for(0, "noise", fresh(0, name)).random() for name in ("r0", "r1"))
    assert one != other != random_for(0, "tone", fresh(0)).random() != one
    assert judge([0], seed=1)[0].clean == judged[0].clean
    whole = score_recording(own.flow, fresh(0), own.recipe.score, own.calibration)
    assert (
        judged[0].clean.values["score"] == whole.score and judged[0].clean.p_values["score"] == whole.p_value
    )
    states = {one.changed["silence"].status for one in judged}
    assert states == {"silent" if kind == "audio" else "constant"}
    assert np.mean([one.changed["noise"].values["score"] for one in judged]) > np.mean(
        [one.clean.values["score"] for one in judged]
    )


@pytest.mark.parametrize(("kind", "step"), [("audio", 2.0**-15), ("series", 0.01)])
def test_copies_keep_to_what_the_recording_is(
    kind: str, step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = small_model(kind, 8000.0)
    assert own.calibration is not None
    seen: list[ArrayRecording] = []

    def spy(flow: Flow, given: ArrayRecording, config: ScoreConfig, calibration: Calibration) -> Apart:
        seen.append(given)
        return judge_apart(flow, given, config, calibration)

    monkeypatch.setattr(corruption_scores, "judge_apart", spy)
    values = np.round(0.3 * noise(5) / step) * step
    given = recording(values, "x", kind=kind, rate=8000.0, step=step)
    judge_corrupted(own, own.recipe.score, own.calibration, [given], 0, lambda *event: None)
    assert len(seen) == 1 + len(CORRUPTIONS) and np.array_equal(seen[0].values, values)
    for one in seen:
        assert (one.kind, one.rate, one.step, one.name) == (kind, 8000.0, step, "x")
        assert np.allclose(one.values / step, np.round(one.values / step), atol=1e-6)
    beyond = [np.abs(one.values).max() > max(1.0, np.abs(values).max()) for one in seen]
    # A click of ten deviations is three times full scale.
    assert any(beyond) == (kind == "series")


def test_recordings_that_cannot_be_judged_are_named(model: Model, folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "in"
    given.mkdir()
    for index in range(3):
        (given / f"{index}.wav").write_bytes((folder / f"{index}.wav").read_bytes())
    soundfile.write(given / "silent.wav", np.zeros(640), 8000)
    soundfile.write(given / "short.wav", 0.1 * noise(1, 20).T, 8000)
    soundfile.write(given / "tiny.wav", 0.1 * noise(1, 5).T, 8000)
    holes = 0.1 * noise(2).T
    holes[5] = np.nan
    soundfile.write(given / "holes.wav", holes, 8000, subtype="FLOAT")
    soundfile.write(given / "stereo.wav", 0.1 * noise(1, 640, 2).T, 8000)
    (given / "text.wav").write_text("not audio")
    result = benchmark_corruptions(model, given, tmp_path / "out")
    found = {Path(error.path).name: error.code for error in result.failed}
    assert {name: found[name] for name in ("silent.wav", "short.wav", "tiny.wav", "holes.wav")} == {
        "silent.wav": "silent",
        "short.wav": "too_short",
        "tiny.wav": "too_short",
        "holes.wav": "nonfinite",
    }
    assert "text.wav" in found and result.exit_code == 3
    assert result.recordings + len(result.failed) == 9


def test_refused(model: Model, folder: Path, tmp_path: Path) -> None:
    def refused(match: str, own: Model = model, given: Path = folder, **keys: int) -> None:
        with pytest.raises(UsageError, match=match):
            benchmark_corruptions(own, given, tmp_path / "out", **keys)

    refused("has no calibration", small_model(recordings=0))
    refused("needs 2 recordings or more", limit=1)
    refused("--seed -1: must be 0 or more", seed=-1)
    single = tmp_path / "single"
    single.mkdir()
    refused("no recording can be used", given=single)
    (single / "0.wav").write_bytes((folder / "0.wav").read_bytes())
    refused("1 recordings can be scored, an area under the curve needs 2 or more", given=single)
    assert not list(tmp_path.glob("out/*"))
