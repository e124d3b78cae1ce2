"""Which real sequences generated ones are judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small import noise, recording, small_model

from seqflow.data.recording import ArrayRecording
from seqflow.errors import UsageError
from seqflow.jobs.sample_material import cut, gather, labelled, stretches
from seqflow.model import Model


class Labelled(ArrayRecording):
    """Calls its samples from 50 on anomalous."""

    def labels(self) -> np.ndarray:
        return np.arange(self.length) >= 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, names in {"train": "abcdefghij", "new": "xyz"}.items():
        (tmp_path / part).mkdir()
        for index, name in enumerate(names):
            values = 0.1 * noise(index + 50 * (part == "new"), 400)[0]
            soundfile.write(tmp_path / part / f"{name}.wav", values, 8000, subtype="PCM_16")
    return tmp_path


def model(root: Path, test: tuple[str, ...] = ()) -> Model:
    made = small_model(recordings=0)
    split = made.recipe.data.split.model_copy(update={"test": test, "valid": 0.1, "calibration": 0.1})
    changes = {"root": str(root / "train"), "split": split}
    made.recipe = made.recipe.model_copy(update={"data": made.recipe.data.model_copy(update=changes)})
    return made


def names(recordings: list) -> set[str]:
    return {one.name for one in recordings}


def test_windows_are_spread_over_all_places_and_say_where_they_are() -> None:
    values = np.arange(100.0)
    recordings = [
        recording(values, "a"),
        recording(values[:5]),
        recording(values + 1000, conditions={"k": "v"}),
    ]
    found = cut(recordings, 10, 26)
    assert found.x.shape == (26, 1, 10) and found.x.dtype == np.float32
    assert found.which.tolist() == [0] * 13 + [2] * 13
    assert found.of_each()[0] == {} and found.of_each()[-1] == {"k": "v"}
    first = found.x[:, 0, 0] % 1000
    assert np.allclose(found.spans, np.stack([first, first + 10], 1) / 100)
    assert np.allclose(np.diff(first[:13]), 7.0)
    assert len(cut(recordings, 10, 10_000)) == 2 * 91
    assert len(cut([], 10, 5)) == 0


def test_missing_samples_and_anomalies_are_left_out() -> None:
    values = np.arange(100.0)
    values[20] = np.nan
    found = cut([Labelled(values)], 10, 1000)
    starts = found.x[:, 0, 0].tolist()
    assert starts == [*map(float, range(11)), *map(float, range(21, 41))]


def test_test_recordings_come_first_and_every_fifth_is_the_floor(folder: Path) -> None:
    found = gather(model(folder, ("[ab].wav",)), None, 32)
    assert names(found.real) == {"a.wav", "b.wav"}
    assert len(found.train) == 5 and len(found.floor) == 1
    assert not names(found.train) & (names(found.floor) | names(found.real))
    assert found.real_name == "test recordings of the recipe"


def test_without_test_data_what_is_held_back_takes_its_place(folder: Path) -> None:
    found = gather(model(folder), None, 32)
    assert len(found.real) == 2 and "holds back" in found.real_name
    assert not names(found.real) & (names(found.train) | names(found.floor))


def test_a_folder_goes_before_and_what_trained_is_left_out_of_it(folder: Path) -> None:
    made = model(folder, ("a.wav",))
    (folder / "new" / "broken.wav").write_bytes(b"nothing")
    found = gather(made, folder / "new", 32)
    assert {Path(one.path).name for one in found.real} == {"x.wav", "y.wav", "z.wav"}
    assert len(found.train) + len(found.floor) >= 7 and "broken.wav" in found.notes[0]
    found = gather(made, folder, 32)
    trained = names(found.train) | names(found.floor)
    assert not {Path(one.path).name for one in found.real} & trained
    assert any("trained on them" in note for note in found.notes)


def test_without_training_data_halves_are_compared(folder: Path) -> None:
    found = gather(model(folder / "gone"), folder / "new", 32)
    assert (len(found.real), len(found.floor), found.train) == (2, 1, [])
    assert found.floor_name == "the other half of them" and "without the training data" in found.notes[0]


def test_few_recordings_give_their_ends(folder: Path) -> None:
    for name in "efghij":
        (folder / "train" / f"{name}.wav").unlink()
    found = gather(model(folder, ("a.wav",)), None, 32)
    (train,), (floor,) = found.train, found.floor
    assert (train.start, train.length, floor.start, floor.length) == (0, 320, 320, 80)


def test_recordings_that_are_all_too_short(folder: Path) -> None:
    with pytest.raises(UsageError, match="no held-out recording has 401 samples"):
        gather(model(folder), None, 401)
    with pytest.raises(UsageError, match="no recording can be used"):
        (folder / "empty").mkdir()
        gather(model(folder), folder / "empty", 32)


def test_stretches_are_all_or_spread_evenly() -> None:
    recordings = [recording(np.arange(1000.0)), recording(np.arange(5.0))]
    assert [one.shape for one in stretches(recordings, 10, 10_000)] == [(1, 1000)]
    few = stretches([recording(np.arange(64_000.0))], 10, 6400)
    assert len(few) == 10 and sum(one.shape[1] for one in few) == 6400
    assert few[0][0, 0] < 6400 and few[-1][0, -1] > 57_000


def test_labels_are_the_first_group_or_the_whole_match() -> None:
    recordings = [recording(np.zeros(3), f"0/{name}") for name in ("7_anna.wav", "12_bo.wav", "c.wav")]
    labelled(recordings, r"^(\d+)_")
    assert [one.conditions.get("label") for one in recordings] == ["7", "12", None]
    labelled(recordings, "anna|bo")
    assert [one.conditions.get("label") for one in recordings][:2] == ["anna", "bo"]
    labelled(recordings, None)
    with pytest.raises(UsageError, match="is not a regular expression"):
        labelled(recordings, "(")
    with pytest.raises(UsageError, match="matches the name of no recording, such as 0/7_anna"):
        labelled(recordings, "^9")
