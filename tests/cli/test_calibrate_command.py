"""`seqflow calibrate` on runs that were trained a little: on made-up data, and on files."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import Seqflow

import seqflow as library
from seqflow.checkpoint import read_checkpoint
from seqflow.data.open import open_recordings
from seqflow.data.recording import Recording
from seqflow.data.split import split_recordings
from seqflow.errors import NothingUsableError
from seqflow.model import Model
from seqflow.recipe import load
from seqflow.scoring import calibrate as fit
from seqflow.training.events import Calibrated, Event
from seqflow_cli.main import run

RATE = 1000
RECIPE = """
name: files
data:
  kind: audio
  root: {root}
  files: ["*.wav"]
  resample: refuse
  window: 64
  split: {{valid: 0.1, calibration: 0.4}}
model:
  layers:
    - kind: standardize
    - {{kind: whitening, taps: 8}}
    - kind: squeeze
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, kernel: 3}}}}
train: {{steps: 4, batch: 4, warmup: 1, validate_every: 2, validate_windows: 4, threads: 1, log_every: 2}}
score: {{alarm_rate: 0.1, smoothing: [1, 8]}}
"""


def write(path: Path, seed: int, length: int = 400, rate: int = RATE, channels: int = 1) -> Path:
    """Smoothed noise, as a float WAV file."""
    white = np.random.default_rng(seed).standard_normal((length + 7, channels))
    kernel = np.hanning(8)
    values = np.stack([np.convolve(column, kernel, "valid") for column in white.T], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.05 * values, rate, subtype="FLOAT")
    return path


def opened(folder: Path) -> list[Recording]:
    data = load(str(folder.parent / "files.yaml")).data
    return [one for path in sorted(folder.iterdir()) for one in open_recordings(path, data)]


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 30 files, in `run`, and 19 new ones of the same kind, in `new`."""
    folder = tmp_path_factory.mktemp("files")
    for index in range(30):
        write(folder / "data" / f"d{index:02}.wav", index, 400 + index)
    for index in range(19):
        write(folder / "new" / f"n{index:02}.wav", 100 + index, 400 + index)
    recipe = folder / "files.yaml"
    recipe.write_text(RECIPE.format(root=folder / "data"))
    assert run(["train", str(recipe), "--out", str(folder / "run"), "--device", "cpu"]) == 0
    return folder


@pytest.fixture(scope="module")
def again(files: Path) -> Path:
    """The run of `files`, calibrated on the new recordings."""
    words = ["calibrate", files / "run", files / "new", "--out", files / "deep" / "again", "--device", "cpu"]
    assert run([str(word) for word in words]) == 0
    return files / "deep" / "again"


def test_weights_and_all_else_stay_the_same(files: Path, again: Path) -> None:
    old, old_meta = read_checkpoint(files / "run" / "best.safetensors")
    new, new_meta = read_checkpoint(again / "best.safetensors")
    flow = sorted(name for name in old if name.startswith("flow."))
    assert flow and flow == sorted(name for name in new if name.startswith("flow."))
    assert all(old[name].numpy().tobytes() == new[name].numpy().tobytes() for name in flow)
    counts = {"recordings": 19, "of_the_training": 0, "left_out": 0, "trained_on": 0}
    assert new_meta["info"].pop("calibrated_anew") == counts
    assert new_meta == old_meta
    before, after = content(files / "run"), content(again)
    same = ("last.safetensors", "recipe.yaml")
    assert [after[name] for name in same] == [before[name] for name in same]
    log = (again / "log.jsonl").read_text()
    assert log.startswith((files / "run" / "log.jsonl").read_text())
    assert json.loads(log.splitlines()[-1])["event"] == "calibrated_anew"
    assert [path.name for path in again.parent.iterdir()] == ["again"]


def test_scores_compare_with_the_new_recordings(seqflow: Seqflow, files: Path, again: Path) -> None:
    old, new = Model.load(files / "run"), Model.load(again)
    paths = sorted((files / "new").iterdir())
    recordings = opened(files / "new")
    wanted = fit(old.flow, recordings, old.recipe.score, window=old.window)
    assert new.calibration is not None and old.calibration is not None
    assert (new.calibration.unit, len(new.calibration)) == ("recording", 19)
    np.testing.assert_array_equal(new.calibration.units, wanted.units)
    loud = files / "loud.wav"
    soundfile.write(loud, 4 * soundfile.read(paths[0])[0], RATE, subtype="FLOAT")
    rows = [seqflow("score", folder, loud, "--json").json for folder in (files / "run", again)]
    assert rows[0]["nll"] == rows[1]["nll"]
    assert rows[1]["p_value"] == pytest.approx(1 / 20) and rows[1]["alarm"]
    assert rows[0]["p_value"] != rows[1]["p_value"]
    assert seqflow("info", again).out.count("calibrated anew") == 1


def test_what_it_says(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    before = content(files / "run")
    result = seqflow("calibrate", files / "run", files / "new", "--out", tmp_path / "r", "--device", "cpu")
    assert result.code == 0
    line = "calibrated on 19 recordings; alarm rate 0.1, from 0.05 on can be promised"
    assert result.out == f"{tmp_path / 'r'}: {line}\n"
    assert "warning" not in result.err and "block" not in result.err
    assert content(files / "run") == before


def test_recordings_that_cannot_be_used_are_named(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    shutil.copytree(files / "new", given)
    soundfile.write(given / "zero.wav", np.zeros(400), RATE)
    (given / "text.wav").write_text("no sound")
    shutil.copy(given / "n03.wav", given / "n03-copy.wav")
    write(given / "stub.wav", 1, 40)
    write(given / "fast.wav", 2, rate=2 * RATE)
    write(given / "two.wav", 3, channels=2)
    np.save(given / "table.npy", np.random.default_rng(0).standard_normal(400))
    paths = [given, given / "table.npy", given / "gone.wav"]
    result = seqflow("calibrate", files / "run", *paths, "--out", tmp_path / "r", "--json")
    assert result.code == 3
    codes = {Path(row["path"]).name: row["code"] for row in result.json["left_out"]}
    # Of two copies the one with the later name goes.
    assert codes == {
        "zero.wav": "silent",
        "text.wav": "not_audio",
        "n03.wav": "duplicate",
        "stub.wav": "too_short",
        "fast.wav": "wrong_rate",
        "two.wav": "wrong_channels",
        "table.npy": "wrong_kind",
        "gone.wav": "unreadable",
    }
    assert (result.json["recordings"], result.json["units"]) == (19, 19)
    assert len(Model.load(tmp_path / "r").calibration or ()) == 19


@pytest.mark.parametrize(
    ("paths", "words", "code", "what"),
    [
        (["new"], ["--alarm-rate", "0.0001"], 2, "enough for"),
        (["new"], ["--alarm-rate", "0"], 2, "between 0 and 1"),
        (["new"], ["--alarm-rate", "nan"], 2, "between 0 and 1"),
        ([], [], 2, "PATH"),
        (["empty"], [], 4, "no_files"),
        (["gone.wav"], [], 4, "gone.wav"),
        (["new"], ["--device", "cuda:99"], 2, "cuda:99"),
    ],
)
def test_refusals_leave_nothing_behind(
    seqflow: Seqflow, files: Path, tmp_path: Path, paths: list[str], words: list[str], code: int, what: str
) -> None:
    (files / "empty").mkdir(exist_ok=True)
    given = [files / path for path in paths]
    result = seqflow("calibrate", files / "run", *given, *words, "--out", tmp_path / "a" / "r")
    assert (result.code, result.out) == (code, "")
    assert what in result.err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_the_rate_that_is_named_can_be_had(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    words = ("calibrate", files / "run", files / "new" / "n00.wav", files / "new" / "n01.wav")
    refused = seqflow(*words, "--out", tmp_path / "r", "--alarm-rate", "0.01")
    found = re.search(r"0\.01 cannot be promised: .* make (\d+) blocks, enough for (\S+);", refused.err)
    assert refused.code == 2 and found, refused.err
    made = seqflow(*words, "--out", tmp_path / "r", "--alarm-rate", found[2], "--json")
    assert (made.code, made.json["units"], made.json["unit"]) == (0, int(found[1]), "block")
    # The rate goes with the run, in its recipe and in its model.
    assert load(str(tmp_path / "r" / "recipe.yaml")).score.alarm_rate == float(found[2])
    assert seqflow("score", tmp_path / "r", files / "new" / "n05.wav").code == 0


def test_one_file_makes_blocks_and_that_is_said(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    one = write(tmp_path / "one.wav", 7, 8000)
    result = seqflow("calibrate", files / "run", one, "--out", tmp_path / "r")
    assert result.code == 0
    assert re.search(r"calibrated on \d+ blocks of 1 recording;", result.out)
    assert "1 recording cannot promise an alarm rate of 0.1, so blocks of" in result.err


def test_recordings_of_the_training_are_warned_of(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    parts = split_recordings(load(str(files / "run" / "recipe.yaml")))
    given = tmp_path / "given"
    shutil.copytree(files / "new", given)
    shutil.copy(parts.train[0].path, given / "another-name.wav")
    result = seqflow(
        "calibrate", files / "run", given, parts.valid[0].path, "--out", tmp_path / "r", "--json"
    )
    assert result.code == 0
    (warning,) = result.json["warnings"]
    assert warning.startswith("2 recordings took part in the training")
    # Those held back to calibrate on, and new ones, give no cause.
    held = [recording.path for recording in parts.calibration]
    again = seqflow("calibrate", files / "run", *held, "--out", tmp_path / "r2", "--json")
    assert (again.code, again.json["warnings"]) == (0, [])


@pytest.fixture
def moved(files: Path, tmp_path: Path) -> Path:
    """A copy of the run whose recordings have changed since."""
    shutil.copytree(files / "data", tmp_path / "data")
    recipe = tmp_path / "files.yaml"
    recipe.write_text(RECIPE.format(root=tmp_path / "data"))
    assert run(["train", str(recipe), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    write(tmp_path / "data" / "d00.wav", 1234)
    return tmp_path / "run"


def test_what_cannot_be_known_is_said(seqflow: Seqflow, files: Path, moved: Path, tmp_path: Path) -> None:
    words = ("calibrate", moved, files / "new", "--json")
    result = seqflow(*words, "--out", tmp_path / "r")
    (warning,) = result.json["warnings"]
    assert "cannot be known" in warning and "no longer what they were" in warning
    refused = seqflow(*words, "--add", "--out", tmp_path / "r2")
    assert refused.code == 2 and "no longer what they were" in refused.err
    assert not (tmp_path / "r2").exists()


def test_add_takes_the_recordings_of_the_training_as_well(
    seqflow: Seqflow, files: Path, again: Path, tmp_path: Path
) -> None:
    model = Model.load(files / "run")
    parts = split_recordings(model.recipe)
    paths = [files / "new", parts.calibration[0].path]
    result = seqflow("calibrate", files / "run", *paths, "--add", "--out", tmp_path / "r", "--json")
    assert result.code == 3
    assert [row["code"] for row in result.json["left_out"]] == ["duplicate"]
    own = len(parts.calibration)
    assert (result.json["of_the_training"], result.json["units"]) == (own, own + 19)
    new = opened(files / "new")
    wanted = fit(model.flow, [*parts.calibration, *new], model.recipe.score, window=model.window)
    found = Model.load(tmp_path / "r").calibration
    assert found is not None
    np.testing.assert_array_equal(found.units, wanted.units)
    refused = seqflow("calibrate", again, files / "new", "--add", "--out", tmp_path / "r2")
    assert refused.code == 2 and "calibrated anew" in refused.err


def test_folders_that_are_taken(seqflow: Seqflow, files: Path, again: Path, tmp_path: Path) -> None:
    before = content(again), content(files / "run")
    for out in (again, files / "run", files / "run" / "inner", files / "files.yaml"):
        result = seqflow("calibrate", files / "run", files / "new", "--out", out)
        assert result.code == 2 and "choose another --out" in result.err
    assert (content(again), content(files / "run")) == before
    assert seqflow("calibrate", files / "run", files / "new", "--out", tmp_path).code == 0


def test_a_full_disk_leaves_nothing(files: Path, tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: smaller than the model, larger than the log.
    words = ["calibrate", files / "run", files / "new", "--out", tmp_path / "a" / "r", "--device", "cpu"]
    command = " ".join(shlex.quote(str(word)) for word in [sys.executable, "-m", "seqflow_cli", *words])
    # Python ignores SIGXFSZ, so that writing fails with EFBIG.
    done = subprocess.run(["bash", "-c", f"ulimit -f 8; {command}"], capture_output=True, text=True)
    assert done.returncode == 5, done.stderr
    assert "no space left" in done.stderr
    assert not list(tmp_path.iterdir())


def test_made_up_data_and_a_file_of_a_model(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    words = (trained / "best.safetensors", recordings / "r0.wav", recordings / "r1.wav")
    result = seqflow("calibrate", *words, "--out", tmp_path / "r", "--json")
    assert (result.code, result.json["warnings"]) == (0, [])
    names = sorted(path.name for path in (tmp_path / "r").iterdir())
    assert names == ["best.safetensors", "log.jsonl", "recipe.yaml"]
    assert seqflow("score", tmp_path / "r", recordings).code == 0


def test_the_same_in_python(files: Path, again: Path) -> None:
    model = library.load(files / "run")
    before = model.calibration
    told: list[Event] = []
    found = library.calibrate(model, [files / "new"], on_event=told.append)
    assert found.flow is model.flow and model.calibration is before and "calibrated_anew" not in model.info
    stored = Model.load(again).calibration
    assert found.calibration is not None and stored is not None
    np.testing.assert_array_equal(found.calibration.units, stored.units)
    assert [type(event) for event in told] == [Calibrated]
    with pytest.raises(NothingUsableError, match="none of 0 inputs"):
        library.calibrate(model, [])
