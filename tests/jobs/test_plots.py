"""Figures are written whole, are equal for equal arguments, and stand what recordings may hold."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from small import WINDOW, noise, recording, small_flow

from seqflow.drawing import clock_of
from seqflow.figures import samples_figure
from seqflow.plots import localisation_figure, overview_figure
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, FileScore, calibrate, score_recording

CONFIG = ScoreConfig(smoothing=(1, 8))


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate(small_flow(), [recording(noise(i)) for i in range(20)], CONFIG, window=WINDOW)


def drawn(path: Path) -> np.ndarray:
    image = imread(path)
    assert image.ndim == 3 and min(image.shape[:2]) > 200
    # More than an empty page.
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 50
    return image


@pytest.mark.parametrize(("channels", "length"), [(1, 60), (8, 400)])
def test_localisation(channels: int, length: int, tmp_path: Path) -> None:
    flow = small_flow(channels, rate=100.0)
    normal = [recording(noise(i, 640, channels), rate=100.0) for i in range(20)]
    fitted = calibrate(flow, normal, CONFIG, window=WINDOW)
    values = noise(9, length, channels)
    values[0, 10:13] = np.nan
    shown = recording(values, "a/$x_{\n\udcff.wav", rate=100.0)
    found = score_recording(flow, shown, CONFIG, fitted, arrays=True)
    rc = dict(mpl.rcParams)
    localisation_figure(shown, found, tmp_path / "x.png")
    drawn(tmp_path / "x.png")
    assert dict(mpl.rcParams) == rc


def test_huge_values_are_drawn(tmp_path: Path, calibration: Calibration) -> None:
    values = noise(1, 2000)
    values[0, 700:1000] = 1e306
    shown = recording(values)
    found = score_recording(small_flow(), shown, CONFIG, calibration, arrays=True)
    localisation_figure(shown, found, tmp_path / "x.png")
    drawn(tmp_path / "x.png")


def test_the_worst_interval_is_shaded_where_it_is(tmp_path: Path, calibration: Calibration) -> None:
    shown = recording(noise(1, 20_000))
    found = score_recording(small_flow(), shown, CONFIG, calibration, arrays=True)
    images = []
    for start in (2000.0, 15_000.0):
        marked = FileScore(**{**vars(found), "worst_start": start, "worst_end": start + 2000.0})
        localisation_figure(shown, marked, tmp_path / "x.png")
        images.append(drawn(tmp_path / "x.png"))
    changed = np.flatnonzero((images[0] != images[1]).any(axis=(0, 2)))
    width = images[0].shape[1]
    assert changed[0] > 0.1 * width and changed[-1] < 0.9 * width
    middle = slice(int(0.35 * width), int(0.6 * width))
    np.testing.assert_array_equal(images[0][:, middle], images[1][:, middle])


def test_a_short_worst_interval_is_enlarged(tmp_path: Path, calibration: Calibration) -> None:
    shown = recording(noise(1, 20_000), rate=100.0)
    found = score_recording(small_flow(), shown, CONFIG, calibration, arrays=True)
    heights = []
    for end in (151.0, 199.0):  # seconds
        marked = FileScore(**{**vars(found), "worst_start": 150.0, "worst_end": end})
        localisation_figure(shown, marked, tmp_path / "x.png", context=WINDOW)
        heights.append(drawn(tmp_path / "x.png").shape[0])
    assert heights[0] > heights[1] + 100


@pytest.mark.parametrize(
    ("rate", "length", "unit", "pitch"),
    [
        (None, 10**6, "samples", "cycles/sample"),
        (16000.0, 160_000, "seconds", "kHz"),
        (360.0, 52_000, "seconds", "Hz"),
        (360.0, 650_000, "minutes", "Hz"),
        (1 / 60, 1440, "hours", "cycles/hour"),
        (1 / 300, 4032, "days", "cycles/hour"),
        (1 / 3600, 1648, "days", "cycles/day"),
    ],
)
def test_time_is_written_in_a_fitting_unit(rate: float | None, length: int, unit: str, pitch: str) -> None:
    clock = clock_of(rate, length)
    assert (clock.unit, clock.pitch) == (unit, pitch)
    assert length * clock.step * clock.seconds == pytest.approx(length / (rate or 1.0))


def test_without_arrays_or_with_others(calibration: Calibration, tmp_path: Path) -> None:
    shown = recording(noise(1, 300))
    found = score_recording(small_flow(), shown, CONFIG, calibration)
    with pytest.raises(ValueError, match="ask score_recording for them"):
        localisation_figure(shown, found, tmp_path / "x.png")
    kept = score_recording(small_flow(), shown, CONFIG, calibration, arrays=True)
    with pytest.raises(ValueError, match="300 scores for 299 samples"):
        localisation_figure(shown.part(0, 299), kept, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_densities_alone_can_be_shown(tmp_path: Path) -> None:
    shown = recording(noise(1, 300))
    found = score_recording(small_flow(), shown, CONFIG, window=WINDOW, arrays=True)
    for name in ("a.png", "b.png"):
        localisation_figure(shown, found, tmp_path / name)
    drawn(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_overview(calibration: Calibration, tmp_path: Path) -> None:
    flow = small_flow()
    values = [noise(100 + i) * (1e30 if i == 3 else 1.0) for i in range(4)]
    scores = [score_recording(flow, recording(v), CONFIG, calibration) for v in values]
    overview_figure(scores, calibration, tmp_path / "x.png")
    drawn(tmp_path / "x.png")


def test_samples(tmp_path: Path) -> None:
    samples = [noise(i, 500, 2) for i in range(12)]
    samples_figure(samples[:3], 16000.0, tmp_path / "x.png", reference=samples[3:])
    drawn(tmp_path / "x.png")
    samples_figure([np.zeros((1, 20))], None, tmp_path / "still.png")
    drawn(tmp_path / "still.png")
    with pytest.raises(ValueError, match="no samples"):
        samples_figure([], None, tmp_path / "none.png")
