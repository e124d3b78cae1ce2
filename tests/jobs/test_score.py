"""Files to scores: tables, per-sample arrays and figures, and what becomes of files that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from small import Array, noise, recording, small_model

from seqflow.data.inspect import inspect
from seqflow.errors import InputError, ResourceError, UsageError
from seqflow.jobs.inputs import without_memory
from seqflow.jobs.score import exit_code, output_path, ranked, score, score_paths
from seqflow.model import Model
from seqflow.scoring import FileScore, read_scores, score_recording


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model()


def loud(seed: int) -> Array:
    values = 0.1 * noise(seed, 1600)
    values[:, 700:800] *= 6.0
    return values


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sound recordings, one of them with a loud stretch, and three that are none."""
    root = tmp_path_factory.mktemp("in")
    (root / "a" / "dü\n").mkdir(parents=True)
    files = {"a/one.wav": 0.1 * noise(1, 1600), "a/dü\n/two.flac": 0.1 * noise(2, 1600), "bad.wav": loud(3)}
    for name, values in files.items():
        soundfile.write(root / name, values.T, 8000)
    soundfile.write(root / "zero.wav", np.zeros(1600), 8000)
    (root / "cut.wav").write_bytes((root / "bad.wav").read_bytes()[:30])
    (root / "text.wav").write_text("not audio")
    return root


def test_a_folder_becomes_a_table(model: Model, folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    scores = score_paths(
        model,
        [folder],
        out=tmp_path / "out",
        on_result=lambda score, done, total: told.append((score.name, done, total)),
    )
    assert [s.name for s in scores] == [
        *("a/dü\n/two.flac", "a/one.wav", "bad.wav", "cut.wav", "text.wav", "zero.wav")
    ]
    assert [s.scored for s in scores] == [True, True, True, False, False, False]
    assert scores[-1].status == "silent" and scores[-3].status in ("truncated", "corrupt", "not_audio")
    assert [s.alarm for s in scores[:3]] == [False, False, True]
    assert told == [(s.name, i, 6) for i, s in enumerate(scores, 1)]
    assert exit_code(scores) == 3
    for path in (tmp_path / "out" / "scores.csv", tmp_path / "out" / "scores.parquet"):
        assert [FileScore.from_row(row) for row in read_scores(path)] == scores
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_the_worst_place_is_told_in_seconds(model: Model, folder: Path) -> None:
    (found,) = score_paths(model, [folder / "bad.wav"])
    assert found.name == "bad.wav" and found.path == str(folder / "bad.wav")
    assert found.worst_start is not None and found.worst_end is not None
    assert abs(found.worst_start - 700 / 8000) < 0.008 and abs(found.worst_end - 800 / 8000) < 0.008
    assert found.bits is not None and found.duration == 0.2


def test_per_sample_scores_go_to_files(model: Model, folder: Path, tmp_path: Path) -> None:
    score_paths(model, [folder], out=tmp_path, samples=True)
    written = sorted(str(p.relative_to(tmp_path / "samples")) for p in (tmp_path / "samples").rglob("*.npy"))
    assert written == ["a/dü\n/two.flac.npy", "a/one.wav.npy", "bad.wav.npy"]
    tracks = np.load(tmp_path / "samples" / "bad.wav.npy", mmap_mode="r")
    assert tracks.dtype.names == ("nll", "latent", "local", "typicality", "place") and tracks.shape == (1600,)
    expected = score(model, folder / "bad.wav").arrays
    assert expected is not None
    for name, track in expected.items():
        np.testing.assert_array_equal(tracks[name], track.astype(np.float32))


def test_a_file_that_lost_its_score_loses_its_samples(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    for values, there in ((loud(1)[0], True), (np.zeros(1600), False), (loud(1)[0], True), (None, False)):
        if values is None:
            path.write_text("no audio at all")
        else:
            soundfile.write(path, values, 8000)
        score_paths(model, [path], out=tmp_path / "out", samples=True)
        assert (tmp_path / "out" / "samples" / "x.wav.npy").exists() is there


def test_figures_of_the_most_unusual(model: Model, folder: Path, tmp_path: Path) -> None:
    score_paths(model, [folder], out=tmp_path, figures=1)
    names = sorted(p.name for p in (tmp_path / "figures").iterdir())
    assert names == ["01-bad.wav.png", "overview.png"]
    # Those of another run go: their ranks would mix with the new ones.
    score_paths(model, [folder / "a"], out=tmp_path, figures=1)
    (name, _) = sorted(p.name for p in (tmp_path / "figures").iterdir())
    assert name.startswith("01-") and name != "01-bad.wav.png"


def test_figures_of_long_recordings_show_the_worst_place(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqflow import plots
    from seqflow.jobs import score as job

    seen = []
    monkeypatch.setattr(job, "_MOST_IN_FIGURE", 400)
    monkeypatch.setattr(plots, "localisation_figure", lambda *args, **_: seen.append(args))
    (found,) = score_paths(model, [recording(loud(3), "x", rate=8000.0)], out=tmp_path, figures=3)
    ((shown, label, path),) = seen
    start = shown.start
    assert shown.length == 400 and path.name == "01-x.png"
    assert start % 16 == 0 and abs(start + 200 - 750) < 40
    assert label.row() == found.row()
    whole = score_recording(
        model.flow, recording(loud(3), rate=8000.0), model.recipe.score, model.calibration, arrays=True
    )
    # On the same grid of windows; the ends of the part have fewer of them.
    assert whole.arrays is not None and label.arrays is not None
    part = whole.arrays["local"][start + 32 : start + 368]
    np.testing.assert_allclose(label.arrays["local"][32:-32], part, rtol=1e-4, atol=1e-5)


def test_recordings_in_memory_and_another_alarm_rate(model: Model) -> None:
    given = [recording(loud(1), "b", rate=8000.0), recording(0.1 * noise(2), "a", rate=8000.0)]
    strict, lax = (score_paths(model, given, alarm_rate=rate) for rate in (0.03, 0.999))
    assert [s.name for s in strict] == ["b", "a"]
    assert [s.alarm for s in strict] == [True, False]
    assert [s.alarm for s in lax] == [True, True]


def test_an_array_alone(model: Model) -> None:
    found = score(model, loud(4)[0])
    assert found.alarm and found.rate == 8000.0
    assert found.arrays is not None and found.windows is not None
    assert found.arrays["local"].shape == (1600,)
    with pytest.raises(InputError, match="wrong_channels"):
        score(model, np.zeros((2, 1600)))
    with pytest.raises(InputError, match="wrong_rate"):
        score(model, loud(4), rate=16000.0)


def test_a_file_alone(model: Model, folder: Path) -> None:
    assert score(model, folder / "bad.wav").alarm
    assert score(model, str(folder / "zero.wav")).status == "silent"
    with pytest.raises(InputError):
        score(model, folder / "absent.wav")


def test_series_with_gaps_are_several_recordings(tmp_path: Path) -> None:
    model = small_model("series", rate=None, recordings=20)
    split = model.recipe.data.model_copy(update={"irregular": "split"})
    model.recipe = model.recipe.model_copy(update={"data": split})
    times = np.r_[np.arange(200), np.arange(300, 500)]
    rows = [f"{t},{v}" for t, v in zip(times, 0.1 * noise(1, 400)[0], strict=True)]
    (tmp_path / "x.csv").write_text("\n".join(["time,value", *rows]) + "\n")
    found = score_paths(
        model, [tmp_path / "x.csv", tmp_path / "absent.csv"], out=tmp_path / "o", samples=True
    )
    assert [s.name for s in found] == ["absent.csv", "x.csv#1", "x.csv#2"]
    assert [s.scored for s in found] == [False, True, True]
    assert len(list((tmp_path / "o" / "samples").iterdir())) == 2
    with pytest.raises(UsageError, match="2 recordings; use score_paths"):
        score(model, tmp_path / "x.csv")


def test_settings_that_cannot_be(model: Model, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.01 is below the smallest attainable rate"):
        score_paths(model, [folder], alarm_rate=0.01)
    with pytest.raises(UsageError, match="give the folder for them"):
        score_paths(model, [folder], samples=True)
    bare = small_model(recordings=0)
    with pytest.raises(UsageError, match="no calibration"):
        score_paths(bare, [folder], alarm_rate=0.1)
    found = score_paths(bare, [folder])
    assert found[0].nll is not None and found[0].score is None
    assert ranked(found)[0] == 2


def test_advice_is_for_who_has_a_model_and_no_recipe(model: Model, folder: Path, tmp_path: Path) -> None:
    refusing = model.recipe.data.model_copy(update={"resample": "refuse"})
    strict = replace(model, recipe=model.recipe.model_copy(update={"data": refusing}))
    soundfile.write(tmp_path / "fast.wav", 0.1 * noise(1, 900)[0], 16000)
    (found,) = score_paths(strict, [tmp_path / "fast.wav"])
    assert found.status == "wrong_rate" and found.detail == (
        "is at 16000 Hz, not 8000 Hz; resample it, or set data.resample: soxr in the recipe, and train a "
        "model with it"
    )
    with pytest.raises(InputError, match="and train a model with it"):
        score(strict, tmp_path / "fast.wav")
    soundfile.write(tmp_path / "two.wav", 0.1 * noise(1, 900, 2).T, 8000)
    (found,) = score_paths(model, [tmp_path / "two.wav"])
    assert found.status == "wrong_channels" and "train a model with other data.channels" in found.detail
    with pytest.raises(
        UsageError, match=r"ask for at least that \(--alarm-rate\), or take a model calibrated"
    ):
        score_paths(model, [folder], alarm_rate=0.01)
    full = without_memory(MemoryError(), "x.wav", model.recipe.score)
    assert isinstance(full, ResourceError) and "choose another --device, or train a model" in str(full)


def test_a_dead_channel_below_a_mean_is_named(model: Model, tmp_path: Path) -> None:
    data = model.recipe.data.model_copy(update={"channels": "mono"})
    mono = replace(model, recipe=model.recipe.model_copy(update={"data": data}))
    values = np.stack([0.2 * noise(1, 900)[0], np.zeros(900)], 1)
    soundfile.write(tmp_path / "a.wav", values, 8000)
    line = "channel 1, mixed into the mean, holds one value"
    (found,) = score_paths(mono, [tmp_path / "a.wav"])
    assert (found.status, found.detail, found.scored) == ("dead_channel", f"dead_channel: {line}", True)
    seen = inspect(tmp_path / "a.wav", data)
    assert (seen.status, seen.detail) == ("dead_channel", line)


def test_nothing_there(model: Model, tmp_path: Path) -> None:
    found = score_paths(model, [tmp_path, tmp_path / "*.wav", tmp_path / "x.wav"])
    assert {s.status for s in found} == {"no_files", "unreadable"} and len(found) == 3
    assert exit_code(found) == 4 and exit_code([]) == 0


def test_names_become_paths_below_the_folder(tmp_path: Path) -> None:
    assert output_path(tmp_path, "a/b.wav") == tmp_path / "a" / "b.wav.npy"
    assert output_path(tmp_path, "../../etc//x") == tmp_path / "etc" / "x.npy"
    assert output_path(tmp_path, "..") == tmp_path / "unnamed.npy"
    long = [output_path(tmp_path, "ü" * 125 + end) for end in ("a.wav", "b.wav")]
    assert long[0] != long[1]
    for path in long:
        path.write_bytes(b"")


def test_odd_and_broken_files_end_in_a_score_or_a_named_status(model: Model) -> None:
    """The WAV files of SciPy's own tests: 1 to 64 bits, broken headers, cut ends, nested chunks."""
    folder = Path(scipy.io.__file__).parent / "tests" / "data"
    mono = model.recipe.model_copy(update={"data": model.recipe.data.model_copy(update={"channels": "mono"})})
    scores = score_paths(replace(model, recipe=mono), [folder])
    assert len(scores) >= 15
    for found in scores:
        assert found.status == "ok" or found.detail
        assert found.scored or found.status != "ok"
    assert sum(found.scored for found in scores) >= 5
    assert all(np.isfinite([found.nll, found.score]).all() for found in scores if found.scored)
