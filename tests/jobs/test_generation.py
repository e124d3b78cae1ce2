"""Stretches drawn anew and recordings moved through the noise, from arrays and files, by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small import noise, small_model

import seqflow
from seqflow.data.recording import ArrayRecording
from seqflow.errors import InputError, UsageError
from seqflow.jobs.inpaint import write_inpainted
from seqflow.jobs.latent import write_morph, write_reconstruction
from seqflow.jobs.one_recording import open_one
from seqflow.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model(recordings=0)


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Half a second of 16-bit sound."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.clip(0.1 * noise(7, 4000)[0], -1.0, 1.0), 8000, subtype="PCM_16")
    return path


def test_sixteen_bit_sound_stays_so_to_the_bit(model: Model, spoken: Path, tmp_path: Path) -> None:
    made = write_inpainted(model, spoken, tmp_path / "out", begin=0.2, end=0.21, n=2, steps=3)
    assert (made.start, made.stop, made.beyond) == (1600, 1680, 0)
    original = soundfile.read(spoken, dtype="int16")[0]
    for path in made.paths:
        assert soundfile.info(path).subtype == "PCM_16" and soundfile.info(path).samplerate == 8000
        values = soundfile.read(path, dtype="int16")[0]
        changed = np.flatnonzero(values != original)
        assert len(values) == 4000 and changed.min() >= 1600 and changed.max() < 1680
        assert len(changed) > 70
    again = write_inpainted(model, spoken, tmp_path / "again", begin=0.2, end=0.21, n=2, steps=3)
    for first, second in zip((*made.paths, made.figure), (*again.paths, again.figure), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_a_gap_is_drawn_where_samples_are_missing(model: Model) -> None:
    values = 0.1 * noise(3, 500)
    holed = values.copy()
    holed[:, 200:220] = np.nan
    found, whole = (seqflow.inpaint(model, x, 200, 220, n=2, steps=3) for x in (holed, values))
    assert np.array_equal(found.draws, whole.draws) and np.isfinite(found.draws).all()
    with pytest.raises(InputError, match="nonfinite"):
        seqflow.inpaint(model, holed, 202, 220, n=1, steps=1)
    with pytest.raises(InputError, match="nonfinite"):
        seqflow.reconstruct(model, holed)
    # Far from the gap nothing is asked of the recording.
    holed[:, 450] = np.nan
    assert np.isfinite(seqflow.inpaint(model, holed, 200, 220, n=1, steps=1).draws).all()


def test_missing_samples_elsewhere_stay_missing(model: Model, tmp_path: Path) -> None:
    sensor = small_model("series", rate=None, recordings=0)
    values = 0.1 * noise(3, 500)
    values[:, 20] = np.nan
    recording = ArrayRecording(values)
    made = write_inpainted(sensor, recording, tmp_path, begin=200, end=210, n=1, steps=2)
    written = np.load(made.paths[1])[:, 0]
    assert np.array_equal(np.flatnonzero(np.isnan(written)), [20])
    assert np.array_equal(written[210:], values[0, 210:].astype(written.dtype))


def test_the_draws_hang_on_what_is_near_alone(model: Model) -> None:
    values = 0.1 * noise(3, 500)
    far = values.copy()
    far[:, :100] = 0.0
    first, second = (seqflow.inpaint(model, x, 300, 310, n=1, steps=3) for x in (values, far))
    assert np.array_equal(first.draws, second.draws)


def test_ends_of_a_morph_and_files_of_16_bits(model: Model, spoken: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.wav"
    soundfile.write(other, np.clip(0.1 * noise(8, 3001)[0], -1.0, 1.0), 8000, subtype="PCM_16")
    made = write_morph(model, spoken, other, tmp_path / "out", n=10)
    assert len(made.paths) == 10 and made.length == 3001 and made.figure.is_file()
    for path, end in ((made.paths[0], spoken), (made.paths[-1], other)):
        found, given = (soundfile.read(one, dtype="int16")[0] for one in (path, end))
        # This flow has no layer of steps: its inverse is rounded to the nearest.
        assert np.array_equal(found, given[:3001])
    assert seqflow.morph(model, spoken, other, 2).shape == (2, 1, 3001)


def test_a_reconstruction_beside_the_recorded(model: Model, spoken: Path, tmp_path: Path) -> None:
    made = write_reconstruction(model, spoken, tmp_path / "out", temperature=1.0)
    assert np.array_equal(
        soundfile.read(made.paths[0], dtype="int16")[0], soundfile.read(spoken, dtype="int16")[0]
    )
    assert seqflow.reconstruct(model, spoken, 0.5).std() < seqflow.reconstruct(model, spoken, 0.9).std()


def test_what_the_model_does_not_take(model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wrong_channels"):
        open_one(model, np.zeros((2, 100)))
    with pytest.raises(InputError, match="empty"):
        seqflow.reconstruct(model, np.zeros((1, 0)))
    with pytest.raises(InputError, match="too_large"):
        seqflow.morph(model, np.broadcast_to(np.zeros(1), (1 << 23,)), np.zeros(4), 2)
    with pytest.raises(UsageError, match="between 2 and 1000"):
        seqflow.morph(model, np.zeros(4), np.zeros(4), 1001)
    # Samples without a rate: seconds have no meaning, and are samples.
    sensor = small_model("series", rate=None, recordings=0)
    with pytest.raises(UsageError, match="samples is no stretch"):
        write_inpainted(sensor, 0.1 * noise(0, 64), tmp_path / "out", begin=1, end=65, n=1)
