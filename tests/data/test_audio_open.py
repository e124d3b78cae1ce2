"""Any file of recordings: the suffix decides how it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_files import sound, write

from seqflow.data.open import AUDIO_SUFFIXES, SERIES_SUFFIXES, open_recordings
from seqflow.errors import InputError
from seqflow.recipe.data import AudioData, SeriesData, SyntheticData


def table(path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.3f},{b:.3f}" for a, b in rng.standard_normal((50, 2)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"left,right\n{rows}\n")
    return path


def test_the_suffix_decides(tmp_path: Path) -> None:
    sounds = write(tmp_path / "a.WAV", sound(500, 2))
    values = table(tmp_path / "b.csv")
    audio = AudioData(kind="audio", root=str(tmp_path), window=16)
    series = SeriesData(kind="series", root=str(tmp_path), window=16)
    made_up = SyntheticData(kind="synthetic", generator="sine", window=16)
    for config in (audio, series, made_up):
        (recording,) = open_recordings(sounds, config)
        assert (recording.kind, recording.length, recording.name) == ("audio", 500, "a.WAV")
        (recording,) = open_recordings(values, config)
        assert (recording.kind, recording.length, recording.name) == ("series", 50, "b.csv")
        assert recording.channel_names == ("left", "right")
    assert not AUDIO_SUFFIXES & SERIES_SUFFIXES


def test_a_suffix_that_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(write(tmp_path / "a.flac", sound(500)).read_bytes())
    assert open_recordings(path, AudioData(kind="audio", root=".", window=16))[0].length == 500
    with pytest.raises(InputError):
        open_recordings(path, SeriesData(kind="series", root=".", window=16))


def test_names_lie_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    path = write(tmp_path / "x" / "y" / "a.wav", sound(100))
    config = AudioData(kind="audio", root=str(tmp_path / "x"), window=16)
    assert open_recordings(path, config)[0].name == "y/a.wav"
    assert open_recordings(path, config, name="mine")[0].name == "mine"
    elsewhere = write(tmp_path / "b.wav", sound(100))
    assert open_recordings(elsewhere, config)[0].name == "b.wav"


def test_the_recipe_and_the_model(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(1000, 2))
    config = AudioData(
        kind="audio", root=str(tmp_path), window=16, rate=4000.0, channels="mono", step=0.5, resample="soxr"
    )
    (recording,) = open_recordings(path, config)
    assert (recording.rate, recording.channels, recording.step) == (4000.0, 1, 0.5)
    (recording,) = open_recordings(path, config, rate=2000.0)
    assert (recording.rate, recording.length) == (2000.0, 250)
    refusing = AudioData(kind="audio", root=str(tmp_path), window=16, resample="refuse")
    assert open_recordings(path, refusing)[0].rate == 8000.0
    with pytest.raises(InputError) as caught:
        open_recordings(path, refusing, rate=2000.0)
    assert caught.value.code == "wrong_rate"


def test_series_of_a_model(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv")
    config = AudioData(kind="audio", root=str(tmp_path), window=16)
    (recording,) = open_recordings(path, config, rate=10.0, names=("right",))
    assert (recording.rate, recording.channel_names) == (10.0, ("right",))


def test_strict_is_passed_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(1000))
    path.write_bytes(path.read_bytes()[:1000])
    config = AudioData(kind="audio", root=str(tmp_path), window=16)
    assert open_recordings(path, config)[0].status == "truncated"
    with pytest.raises(InputError):
        open_recordings(path, config, strict=True)
