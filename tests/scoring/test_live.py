"""A live stream says what a recording says, however it is cut, and goes on from a state to the bit."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import WINDOW, Array, noise, recording, small_background, small_flow

from seqflow.errors import CheckpointError, InputError, UsageError
from seqflow.flow import Flow
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, FileScore, LiveScorer, LiveScores, calibrate, score_recording
from seqflow.scoring.terms import NAMES

HOP = 12
ONE_BY_ONE = ScoreConfig(terms=NAMES, smoothing=(1, 8), hop=HOP, batch=1, background="white")


@cache
def flow() -> Flow:
    return small_flow()


@cache
def fitted(length: int = 2000, hop: int = HOP) -> Calibration:
    config = ONE_BY_ONE.model_copy(update={"hop": hop, "batch": 64})
    held = [recording(noise(i, length)) for i in range(6)]
    return calibrate(flow(), held, config, window=WINDOW, unit="block", background=small_background())


def stream(values: Array, cuts: list[int], mask: np.ndarray | None = None, restart: int = -1) -> LiveScores:
    """Everything said of a stream cut at `cuts`; before piece `restart` it goes on from a state."""
    live = LiveScorer(flow(), ONE_BY_ONE, fitted(), samples=True)
    windows, samples = [], []
    for index, (begin, end) in enumerate(pairwise([0, *cuts, values.shape[1]])):
        if index == restart:
            live = LiveScorer.from_state(live.state(), flow(), ONE_BY_ONE, fitted(), samples=True)
        found = live.feed(values[:, begin:end], None if mask is None else mask[:, begin:end])
        windows += found.windows
        samples += found.samples
        assert live.position == end
    found = live.finish()
    return LiveScores(windows + found.windows, samples + found.samples)


def tracks(found: LiveScores) -> dict[str, Array]:
    starts = [piece.start for piece in found.samples]
    lengths = [len(piece.values["nll"]) for piece in found.samples]
    assert starts == [0, *np.cumsum(lengths).tolist()][: len(starts)]  # in order, none twice
    names = found.samples[0].values if found.samples else []
    return {name: np.concatenate([piece.values[name] for piece in found.samples]) for name in names}


@st.composite
def streams(draw: st.DrawFn) -> tuple[Array, list[int], int]:
    """Values with missing samples, where they are cut, and before which piece the scorer is restarted."""
    length = draw(st.integers(1, 260))
    values = noise(draw(st.integers(0, 50)), length)
    for begin in draw(st.lists(st.integers(0, length - 1), max_size=3)):
        values[:, begin : begin + draw(st.integers(1, 40))] = np.nan
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=8)))
    return values, cuts, draw(st.integers(-1, len(cuts)))


def offline(values: Array, config: ScoreConfig = ONE_BY_ONE) -> FileScore:
    return score_recording(flow(), recording(values), config, fitted(), arrays=True)


@settings(max_examples=40, deadline=None)
@given(streams())
def test_a_stream_is_scored_as_a_recording_to_the_bit(case: tuple[Array, list[int], int]) -> None:
    values, cuts, restart = case
    found, whole = stream(values, cuts, restart=restart), offline(values)
    if whole.arrays is None or whole.windows is None:
        assert found.windows == []
        return
    for name, track in tracks(found).items():
        np.testing.assert_array_equal(track, whole.arrays[name])
    assert [window.start for window in found.windows] == whole.windows["start"].tolist()
    for name in NAMES:
        np.testing.assert_array_equal([w.terms[name] for w in found.windows], whole.windows[name])
    for window in found.windows:
        assert window.height is not None and window.peak is not None
        assert window.start <= window.peak < window.end == window.start + WINDOW


def test_batches_change_rounding_alone() -> None:
    values = noise(3, 1500)
    values[:, 700:760] *= 4.0
    found = stream(values, [1, 999])
    whole = offline(values, ONE_BY_ONE.model_copy(update={"batch": 64}))
    assert whole.arrays is not None
    for name, track in tracks(found).items():
        np.testing.assert_allclose(track, whole.arrays[name], rtol=1e-3, atol=1e-4)


def test_units_are_judged_as_the_blocks_of_a_recording() -> None:
    """Every `per_unit` windows a block ends: the worst of them is the recording's."""
    calibration = fitted(20_000)
    assert calibration.per_unit > 1
    config = ONE_BY_ONE
    values = noise(9, HOP * (4 * calibration.per_unit - 1) + WINDOW)
    live = LiveScorer(flow(), config, calibration)
    windows = live.feed(values).windows + live.finish().windows
    assert len(windows) == 4 * calibration.per_unit
    blocks = windows[calibration.per_unit - 1 :: calibration.per_unit]
    assert all(window.p_value is None for window in windows[: calibration.per_unit - 1])
    worst = min(blocks, key=lambda window: (window.p_value, -(window.score or 0.0)))
    whole = score_recording(flow(), recording(values), config, calibration)
    assert worst.score == whole.score
    p_values = sorted(window.p_value or 0.0 for window in blocks)
    assert whole.p_value == pytest.approx(min(4 * p / (i + 1) for i, p in enumerate(p_values)))


def test_latency_and_memory_are_bounded() -> None:
    live = LiveScorer(flow(), ONE_BY_ONE, fitted(), samples=True)
    values = noise(5, 1200)
    judged = final = 0
    sizes = set()
    for n in range(values.shape[1]):
        found = live.feed(values[:, n : n + 1])
        judged = max([judged, *(window.end for window in found.windows)])
        final = max([final, *(p.start + len(p.values["nll"]) for p in found.samples)])
        if n >= WINDOW:
            assert n + 1 - judged < HOP and (n < WINDOW + HOP or n + 1 - final < WINDOW + HOP)
        if n >= 4 * WINDOW:
            state = live.state()
            sizes.add(state["slider"]["buffer"].nbytes)
            assert state["sweep"]["average"]["total"].shape[1] <= 2 * WINDOW
    assert len(sizes) == 1


def test_a_segment_is_a_recording_of_its_own() -> None:
    first, second = noise(1, 150), noise(2, 170)
    live = LiveScorer(flow(), ONE_BY_ONE, fitted())
    starts = [w.start for w in live.feed(first).windows + live.finish().windows]
    later = live.feed(second).windows + live.finish().windows
    whole = offline(second)
    assert whole.windows is not None and starts[-1] == 150 - WINDOW
    assert [window.start - 150 for window in later] == whole.windows["start"].tolist()
    np.testing.assert_array_equal([w.terms["latent"] for w in later], whole.windows["latent"])


def test_silence_never_counts_as_normal() -> None:
    live = LiveScorer(flow(), ONE_BY_ONE, fitted(), kind="audio")
    values = np.concatenate([noise(1, 200), np.zeros((1, 200)), noise(2, 200)], axis=1)
    windows = live.feed(values).windows
    silent = [w for w in windows if w.start >= 200 and w.end <= 400]
    assert silent and all((w.status, w.score, w.p_value) == ("silent", None, None) for w in silent)
    before = [w for w in windows if w.end <= 200]
    first = fitted().per_unit - 1
    assert [w.p_value is None for w in before] == [n < first for n in range(len(before))]
    behind = [w for w in windows if w.start >= 400]
    assert behind[0].p_value is None or first == 0 or windows[windows.index(behind[0]) - 1].status == "ok"


def test_without_a_calibration_of_windows_there_are_densities() -> None:
    live = LiveScorer(flow(), ScoreConfig(hop=HOP), window=WINDOW)
    (window,) = live.feed(noise(1, WINDOW)).windows
    assert (window.score, window.p_value, window.height) == (None, None, None) and window.nll != 0.0
    held = [recording(noise(i)) for i in range(40)]
    whole = calibrate(
        flow(), held, ONE_BY_ONE, window=WINDOW, unit="recording", background=small_background()
    )
    (window,) = LiveScorer(flow(), ONE_BY_ONE, whole).feed(noise(1, WINDOW)).windows
    assert window.p_value is None and window.height is not None


def test_the_place_in_the_recording_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow with a clock gets two equal numbers, its encoding of a place that is not known."""
    model, contexts = small_flow(), []
    shares = model.shares

    def spy(x: object, context: dict) -> object:
        contexts.append(context)
        return shares(x, context)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "shares", spy)
    LiveScorer(model, ScoreConfig(hop=HOP), window=WINDOW).feed(noise(1, 3 * WINDOW))
    assert [context["position"].item() for context in contexts] == list(range(0, 2 * WINDOW + 1, HOP))
    assert all(context["span"][0, 0] == context["span"][0, 1] for context in contexts)


def test_what_does_not_fit_is_refused() -> None:
    live = LiveScorer(flow(), ONE_BY_ONE, fitted())
    with pytest.raises(InputError, match="shape"):
        live.feed(noise(1, 10, channels=2))
    with pytest.raises(UsageError, match="smallest attainable"):
        LiveScorer(flow(), ONE_BY_ONE.model_copy(update={"alarm_rate": 1e-5}), fitted())
    with pytest.raises(CheckpointError, match="another scorer"):
        LiveScorer.from_state(live.state(), flow(), ONE_BY_ONE, fitted(), samples=True)
    with pytest.raises(CheckpointError, match="another scorer"):
        live.restore({"window": WINDOW})
