"""`seqflow inpaint`, `morph` and `reconstruct`, and the ways of `sample`, on a model trained a little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import Seqflow


def read(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def test_inpaint_writes_recordings_that_differ_in_the_gap_alone(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["inpaint", trained, recordings / "r0.wav", "--from", 0.5, "--to", 0.52, "-n", 2, "--steps", 4]
    result = seqflow(*words, "--out", out)
    assert result.code == 0
    names = [f"inpainted-000{i}.{kind}" for i in (1, 2) for kind in ("csv", "npy")]
    assert result.out.splitlines() == [str(out / name) for name in (*names, "inpainted.png")]
    assert "samples 500 to 520" in result.err
    original = soundfile.read(recordings / "r0.wav", dtype="float32")[0]
    made = [read(out / f"inpainted-000{i}.npy")[:, 0] for i in (1, 2)]
    for values in made:
        changed = np.flatnonzero(values != original)
        assert values.shape == original.shape and changed.min() >= 500 and changed.max() < 520
    assert not np.array_equal(*made)
    found = seqflow(*words, "--out", tmp_path / "again", "--json").json
    assert (found["start"], found["stop"], found["n"], len(found["acceptance"])) == (500, 520, 2, 2)
    assert np.array_equal(read(tmp_path / "again" / "inpainted-0002.npy")[:, 0], made[1])


def test_morph_goes_from_one_to_the_other(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    ends = recordings / "r0.wav", recordings / "r1.wav"
    found = seqflow("morph", trained, *ends, "-n", 3, "--out", tmp_path, "--json").json
    assert len(found["paths"]) == 6 and Path(found["figure"]).is_file() and found["length"] == 2000
    for number, end in ((1, ends[0]), (3, ends[1])):
        made = read(tmp_path / f"morph-000{number}.npy")[:, 0]
        assert np.allclose(made, soundfile.read(end)[0], atol=1e-5)


def test_reconstruct_at_one_is_the_recording(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    words = ["reconstruct", trained, recordings / "r0.wav", "--out"]
    assert seqflow(*words, tmp_path / "same", "--temperature", 1).code == 0
    result = seqflow(*words, tmp_path / "less", "--temperature", 0.5)
    assert result.code == 0 and result.out.splitlines()[-1] == str(tmp_path / "less" / "reconstructed.png")
    original = soundfile.read(recordings / "r0.wav")[0]
    assert np.allclose(read(tmp_path / "same" / "reconstructed.npy")[:, 0], original, atol=1e-5)
    assert read(tmp_path / "less" / "reconstructed.npy").std() < 0.9 * original.std()


def test_sample_carries_on_and_truncates(seqflow: Seqflow, trained: Path, tmp_path: Path) -> None:
    words = ["sample", trained, "-n", 1, "--length", 150, "--truncation", 0.5, "--json"]
    ways = ("whole", "continue")
    found = [seqflow(*words, "--out", tmp_path / way, "--method", way).json for way in ways]
    assert [one["method"] for one in found] == list(ways)
    assert all(one["truncation"] == 0.5 for one in found)
    values = [read(tmp_path / way / "sample-0001.npy") for way in ways]
    assert values[0].shape == values[1].shape == (150, 1) and not np.allclose(*values)


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["inpaint", "r0.wav", "--from", "1", "--to", "1"], 2, "no stretch"),
        (["inpaint", "r0.wav", "--from", "1", "--to", "3"], 2, "has 2 seconds"),
        (["inpaint", "r0.wav", "--from", "0", "--to", "2"], 2, "too little"),
        (["inpaint", "r0.wav", "--from", "nan", "--to", "2"], 2, "no stretch"),
        (["inpaint", "r0.wav", "--from", "1", "--to", "1.01", "-n", "0"], 2, "at least 1"),
        (["inpaint", "gone.wav", "--from", "1", "--to", "1.01"], 3, "gone.wav"),
        (["morph", "r0.wav", "gone.wav"], 3, "gone.wav"),
        (["morph", "r0.wav", "r1.wav", "-n", "1"], 2, "between 2"),
        (["reconstruct", "r0.wav", "--temperature", "11"], 2, "temperature"),
        (["reconstruct", "text.wav"], 3, "text.wav"),
    ],
)
def test_faults_are_one_line_and_leave_nothing(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path, words: list[str], code: int, what: str
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    command, *rest = words
    places = {name: recordings / name for name in ("r0.wav", "r1.wav")}
    files = [places.get(word, tmp_path / word if word.endswith(".wav") else word) for word in rest]
    result = seqflow(command, trained, *files, "--out", tmp_path / "out")
    assert (result.code, result.out, result.err.count("\n")) == (code, "", 1), result.err
    assert what in result.err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--truncation", "0"], ["--truncation", "1.5"]])
def test_truncation_out_of_range(seqflow: Seqflow, trained: Path, tmp_path: Path, words: list[str]) -> None:
    result = seqflow("sample", trained, *words, "--out", tmp_path / "out")
    assert result.code == 2 and "truncation" in result.err and not (tmp_path / "out").exists()
