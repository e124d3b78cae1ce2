"""Scores of whole recordings: exact, independent of how they are read, and in the right place."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import WINDOW, Array, CutRecording, noise, recording, small_background, small_flow

from seqflow.errors import InputError, UsageError
from seqflow.flow import Flow
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, FileScore, calibrate, score_recording
from seqflow.scoring.calibration import measures
from seqflow.scoring.passes import flow_pass
from seqflow.scoring.terms import NAMES

HOP = 8
CONFIG = ScoreConfig(terms=NAMES, smoothing=(1, 8, 24), hop=HOP, batch=7, background="white")


@pytest.fixture(scope="module")
def flow() -> Flow:
    return small_flow()


@pytest.fixture(scope="module")
def calibration(flow: Flow) -> Calibration:
    held = [recording(noise(i)) for i in range(40)]
    return calibrate(flow, held, CONFIG, window=WINDOW, background=small_background())


def same(a: FileScore, b: FileScore) -> None:
    """Equal to the last bit, arrays too."""
    assert a.row() == b.row()
    for x, y in ((a.arrays, b.arrays), (a.windows, b.windows)):
        assert x is not None and y is not None and list(x) == list(y)
        for key in x:
            np.testing.assert_array_equal(x[key], y[key])


def close(a: FileScore, b: FileScore) -> None:
    """Equal up to the rounding of float32, which batches of another size may do in another order."""
    x, y = a.row(), b.row()
    numbers = [key for key, value in y.items() if isinstance(value, float)]
    assert {k: v for k, v in x.items() if k not in numbers} == {
        k: v for k, v in y.items() if k not in numbers
    }
    np.testing.assert_allclose([x[key] for key in numbers], [y[key] for key in numbers], rtol=1e-4)
    assert a.arrays is not None and b.arrays is not None
    for key in a.arrays:
        np.testing.assert_allclose(a.arrays[key], b.arrays[key], rtol=1e-3, atol=1e-4)


def spliced(seed: int, begin: int, length: int, gain: float = 3.0) -> Array:
    values = noise(seed, 2000)
    values[:, begin : begin + length] *= gain
    return values


def test_scores_are_those_of_the_windows_one_by_one(flow: Flow, calibration: Calibration) -> None:
    x = noise(77, 300)
    found = score_recording(flow, recording(x), CONFIG, calibration, arrays=True)
    starts = [*range(0, 300 - WINDOW + 1, HOP), 300 - WINDOW]
    assert found.windows is not None and found.arrays is not None
    assert found.windows["start"].tolist() == starts
    assert list(found.arrays) == [*NAMES, "place"]
    terms = calibration.make_terms()
    other = small_background().flow
    total, count = np.zeros((len(NAMES), 300)), np.zeros(300)
    rows = []
    for start in starts:
        piece = torch.from_numpy(x[None, :, start : start + WINDOW]).float()
        batch = replace(flow_pass(flow, piece), background=flow_pass(other, piece).nll)
        row = measures(terms, {t.name: t.extract(batch).numpy() for t in terms}, calibration.statistics)
        rows.append(row[0])
        for k, term in enumerate(terms):
            steps = term.steps(batch, calibration.statistics[term.name])
            values = term.finish(row[:, k]) if steps is None else steps.numpy()[0]
            total[k, start : start + WINDOW] += values
        count[start : start + WINDOW] += 1
    for k, term in enumerate(terms):
        np.testing.assert_allclose(found.arrays[term.name], total[k] / count, rtol=1e-4, atol=1e-5)
        column = np.array([row[k] for row in rows])
        np.testing.assert_allclose(found.windows[term.name], term.finish(column), rtol=1e-4, atol=1e-5)
        pooled = column.mean() if term.pool == "mean" else column.max()
        assert found.terms[term.name] == pytest.approx(float(term.finish(np.array([pooled]))[0]), rel=1e-4)
    assert found.nll == pytest.approx((total[NAMES.index("nll")] / count).mean(), rel=1e-5)
    judged = calibration.judge(np.array(list(found.terms.values())))
    assert (found.score, found.p_value, found.unit) == (judged.score, judged.p_value, "recording")


def test_the_result_depends_on_neither_blocks_nor_batches(flow: Flow, calibration: Calibration) -> None:
    """On the blocks not by a bit; on the batches by rounding."""
    values = spliced(3, 900, 60)
    values[0, 400:403] = np.nan
    whole = score_recording(flow, recording(values), CONFIG, calibration, arrays=True, block=1 << 20)
    for block in (9, 256):
        same(score_recording(flow, recording(values), CONFIG, calibration, arrays=True, block=block), whole)
    cut = CutRecording(values, [5, 1, 100, WINDOW], name="x")
    same(score_recording(flow, cut, CONFIG, calibration, arrays=True), whole)
    for batch in (2, 1000):
        other = CONFIG.model_copy(update={"batch": batch})
        close(score_recording(flow, recording(values), other, calibration, arrays=True), whole)


def test_blocks_of_windows_depend_on_neither_either(flow: Flow) -> None:
    config = ScoreConfig(batch=5)
    by_block = calibrate(flow, [recording(noise(i, 6400)) for i in range(2)], config, window=WINDOW)
    assert by_block.unit == "block" and by_block.per_unit > 1
    values = spliced(3, 900, 60)
    whole = score_recording(flow, recording(values), config, by_block, arrays=True)
    assert whole.unit == "block" and whole.alarm is not None
    same(score_recording(flow, recording(values), config, by_block, arrays=True, block=77), whole)
    for batch in (3, 64):
        other = config.model_copy(update={"batch": batch})
        close(score_recording(flow, recording(values), other, by_block, arrays=True), whole)


def test_normal_recordings_alarm_no_more_often_than_promised(flow: Flow, calibration: Calibration) -> None:
    rate = 0.1
    config = CONFIG.model_copy(update={"alarm_rate": rate, "batch": 64})
    held = [recording(noise(i, 6400)) for i in range(3)]
    by_block = calibrate(flow, held, config, window=WINDOW, background=small_background())
    for fitted in (calibration, by_block):
        unseen = [recording(noise(500 + i)) for i in range(80)]
        alarms = sum(bool(score_recording(flow, r, config, fitted).alarm) for r in unseen)
        # One in a million binomial series of 80 at this rate has more than 24.
        assert alarms <= 24


@pytest.mark.parametrize("unit", ["recording", "block"])
@pytest.mark.parametrize(("begin", "length"), [(0, 60), (700, 16), (900, 200), (1940, 60)])
def test_a_spliced_anomaly_is_found_and_located(flow: Flow, unit: str, begin: int, length: int) -> None:
    normal = [recording(noise(i, 2000)) for i in range(25)]
    fitted = calibrate(flow, normal, ScoreConfig(smoothing=(1, 8, 24)), window=WINDOW, unit=unit)  # type: ignore[arg-type]
    found = score_recording(flow, recording(spliced(99, begin, length, 6.0)), ScoreConfig(), fitted)
    assert found.worst_start is not None and found.worst_end is not None
    inside = min(found.worst_end, begin + length) - max(found.worst_start, begin)
    outside = (found.worst_end - found.worst_start) - inside
    assert inside >= length / 3 and outside <= 2 * WINDOW
    assert found.alarm or (unit == "block" and length == 16)  # a single bad block of very many says little


def test_a_short_fault_in_a_long_recording_leads_and_says_why_it_cannot_alarm(flow: Flow) -> None:
    held = [recording(noise(i, 4000)) for i in range(2)]
    by_blocks = calibrate(flow, held, CONFIG, window=WINDOW, unit="block", background=small_background())
    long = noise(80, 20_000)
    calm = score_recording(flow, recording(long), CONFIG, by_blocks)
    long[:, 9000:9040] *= 30.0
    found = score_recording(flow, recording(long), CONFIG, by_blocks)
    assert found.alarm is False and found.score is not None and calm.score is not None
    assert found.score > 2 * calm.score and found.status == "ok"
    assert found.worst_start is not None and abs(found.worst_start - 9000) < 2 * WINDOW
    assert found.detail.startswith(f"beyond every calibration block, but {len(by_blocks)} blocks cannot")
    assert found.row()["detail"] == found.detail and found.detail.endswith(" could")
    # One recording of the length of a block is as good as the calibration.
    short = score_recording(flow, recording(long[:, 8980:9060]), CONFIG, by_blocks)
    assert short.alarm is True and not short.detail


def test_times_are_seconds_from_the_beginning_of_the_whole_recording(calibration: Calibration) -> None:
    timed, values = small_flow(rate=100.0), spliced(5, 1200, 80)
    whole = recording(values, rate=100.0, step=0.01)
    found = score_recording(timed, whole, CONFIG, calibration)
    assert (found.rate, found.duration) == (100.0, 20.0)
    assert found.worst_start is not None and 11.5 < found.worst_start < 12.8
    assert found.nll is not None
    assert found.bits == pytest.approx((found.nll - math.log(0.01)) / math.log(2))
    part = score_recording(timed, whole.part(1000, 2000), CONFIG, calibration)
    assert part.worst_start == pytest.approx(found.worst_start, abs=0.3)


def test_invalid_samples_never_spread(flow: Flow, calibration: Calibration) -> None:
    values = noise(8, 900)
    holes = {100: 101, 300: 420, 425: 450, 890: 900}
    broken = values.copy()
    for begin, end in holes.items():
        broken[0, begin:end] = np.inf if begin == 300 else np.nan
    found = score_recording(flow, recording(broken), CONFIG, calibration, arrays=True)
    assert found.status == "nonfinite" and found.scored
    assert found.arrays is not None
    valid = np.isfinite(broken[0])
    valid[420:425] = False  # too short for a window
    for track in found.arrays.values():
        np.testing.assert_array_equal(np.isnan(track), ~valid)
    # Each stretch of valid samples scores as a recording of its own would.
    alone = score_recording(flow, recording(values[:, 450:890]), CONFIG, calibration, arrays=True)
    assert alone.arrays is not None
    for name, track in alone.arrays.items():
        np.testing.assert_allclose(found.arrays[name][450:890], track, rtol=1e-5, atol=1e-6)


def test_a_masked_channel_masks_the_window(calibration: Calibration) -> None:
    two = small_flow(2)
    values = noise(1, 400, 2)
    values[1, 200] = np.nan
    found = score_recording(two, recording(values), ScoreConfig(), window=WINDOW, arrays=True)
    assert found.arrays is not None and np.isnan(found.arrays["nll"]).sum() == 1


@pytest.mark.parametrize(
    ("values", "keys", "status"),
    [
        (np.zeros(600), {"kind": "audio"}, "silent"),
        (np.zeros(600), {}, "constant"),
        (np.full(600, 3.0), {"kind": "audio"}, "constant"),
        (noise(0, WINDOW - 1), {}, "too_short"),
        (np.empty(0), {}, "too_short"),
        (np.full(600, np.nan), {}, "nonfinite"),
        (np.where(np.arange(600) % 20, noise(0, 600), np.nan), {}, "nonfinite"),
    ],
)
def test_states_that_have_no_score(
    flow: Flow, calibration: Calibration, values: Array, keys: dict[str, str], status: str
) -> None:
    found = score_recording(flow, recording(values, **keys), CONFIG, calibration, arrays=True)
    assert (found.status, found.scored) == (status, False)
    assert found.detail
    row = found.row()
    assert all(row[key] is None for key in ("nll", "bits", "score", "p_value", "alarm", "worst_start"))
    assert found.arrays is None


def test_exactly_one_window(flow: Flow, calibration: Calibration) -> None:
    found = score_recording(flow, recording(noise(0, WINDOW)), CONFIG, calibration, arrays=True)
    assert found.windows is not None and found.windows["start"].tolist() == [0]


def test_a_recording_is_believed_about_its_fault_only_at_its_end(
    flow: Flow, calibration: Calibration
) -> None:
    class Truncated(CutRecording):
        def blocks(self, frames: int):  # noqa: ANN202
            yield from super().blocks(frames)
            self.status, self.detail = "truncated", "600 of 900 samples"

    found = score_recording(flow, Truncated(noise(0, 600), [100]), CONFIG, calibration)
    assert (found.status, found.detail, found.samples) == ("truncated", "truncated: 600 of 900 samples", 600)
    assert found.scored


def test_huge_finite_values_score_as_the_worst_of_all(flow: Flow, calibration: Calibration) -> None:
    values = noise(0, 600)
    values[0, 300] = 1e200
    found = score_recording(flow, recording(values), CONFIG, calibration)
    assert found.alarm and found.p_value == pytest.approx(1 / 41)
    assert all(math.isfinite(value) for value in (found.score or math.nan, found.nll or math.nan))
    assert all(math.isfinite(value) for value in found.terms.values())
    assert found.worst_start is not None and found.worst_end is not None
    assert found.worst_start <= 300 < found.worst_end


def test_per_sample_values_stream_in_order(flow: Flow, calibration: Calibration) -> None:
    got: dict[str, list[Array]] = {}
    ends = [0]

    def take(start: int, values) -> None:  # noqa: ANN001
        assert start == ends[-1]
        ends.append(start + len(values["nll"]))
        for name, piece in values.items():
            got.setdefault(name, []).append(piece)

    values = noise(4, 1000)
    values[0, 500:700] = np.nan
    kept = score_recording(flow, recording(values), CONFIG, calibration, arrays=True)
    streamed = score_recording(flow, recording(values), CONFIG, calibration, on_samples=take)
    assert streamed.arrays is None and streamed.row() == kept.row()
    assert ends[-1] == 1000 and kept.arrays is not None and set(got) == {*NAMES, "place"}
    for name, pieces in got.items():
        np.testing.assert_array_equal(np.concatenate(pieces), kept.arrays[name])


def test_without_a_calibration_there_are_densities_only(flow: Flow) -> None:
    found = score_recording(flow, recording(noise(1)), ScoreConfig(), window=WINDOW, arrays=True)
    assert found.nll is not None and found.score is None and found.alarm is None and not found.terms
    assert found.arrays is not None and list(found.arrays) == ["nll"]
    with pytest.raises(UsageError, match="give the length of the windows"):
        score_recording(flow, recording(noise(1)), ScoreConfig())


def test_the_flow_is_left_in_its_mode(flow: Flow, calibration: Calibration) -> None:
    for mode in (True, False):
        flow.train(mode)
        score_recording(flow, recording(noise(1)), CONFIG, calibration)
        assert flow.training is mode


@pytest.mark.parametrize(
    ("keys", "window", "message"),
    [
        ({"alarm_rate": 0.01}, None, r"0\.01 is below the smallest attainable rate 0\.0244 with 40"),
        ({"hop": 4}, None, "score.hop: 4 samples, but calibrated with 8"),
        ({"smoothing": (2,)}, None, r"score.smoothing: the calibration was made with \[1, 8, 24\]"),
        ({}, 64, "window: 64 samples, but the calibration was made with 32"),
    ],
)
def test_settings_that_contradict_the_calibration(
    flow: Flow, calibration: Calibration, keys: dict[str, object], window: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        score_recording(flow, recording(noise(1)), ScoreConfig(**keys), calibration, window=window)  # type: ignore[arg-type]


@pytest.mark.parametrize(("window", "hop"), [(31, None), (0, None), (32, 33)])
def test_windows_that_do_not_fit_the_flow(flow: Flow, window: int, hop: int | None) -> None:
    with pytest.raises(UsageError, match=r"window|hop"):
        score_recording(flow, recording(noise(1)), ScoreConfig(hop=hop), window=window)


def test_recordings_of_another_kind(calibration: Calibration) -> None:
    timed = small_flow(rate=8000.0)
    with pytest.raises(InputError, match="wrong_channels: has 2 channels, the model 1"):
        score_recording(timed, recording(noise(1, channels=2)), CONFIG, calibration)
    with pytest.raises(InputError, match="wrong_rate: has 16000 Hz, the model 8000 Hz"):
        score_recording(timed, recording(noise(1), rate=16000.0), CONFIG, calibration)
    assert score_recording(timed, recording(noise(1), rate=8000.0004), CONFIG, calibration).scored


def test_a_part_of_the_terms(flow: Flow, calibration: Calibration) -> None:
    found = score_recording(flow, recording(noise(1)), ScoreConfig(terms=("latent",)), calibration)
    assert list(found.terms) == ["latent"] and found.worst_start is not None and found.score is not None
