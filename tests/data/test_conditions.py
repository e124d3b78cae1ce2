"""What is declared about recordings: found by path, manifest or sidecar, and told window by window."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqflow.classes import Classes
from seqflow.data.augment import kept_conditions
from seqflow.data.batch import Batch
from seqflow.data.dataset import Windows
from seqflow.data.open import open_recordings
from seqflow.data.recording import ArrayRecording
from seqflow.data.split import Parts, split_recordings
from seqflow.data.synthetic import make_recordings
from seqflow.errors import InputError, UsageError
from seqflow.recipe import AudioData, AugmentConfig, Recipe, SyntheticData

DIGIT = {"digit": {"path": r"(\d)_[a-z]+_\d+\.wav$"}}
CLASSES = Classes({"digit": ("0", "7"), "speaker": ("ann", "bob", "eve")})


def recipe(root: Path, conditions: dict[str, Any], **data: Any) -> Recipe:
    keys = {"kind": "audio", "window": 50, "root": str(root), "split": {"valid": 0.0, "calibration": 0.0}}
    return Recipe.model_validate(
        {
            "name": "test/conditions",
            "data": {**keys, "conditions": conditions, **data},
            "model": {"layers": [{"kind": "standardize"}]},
        }
    )


def write(root: Path, *names: str) -> None:
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(root / name, 0.1 * np.random.default_rng(index).standard_normal(200), 8000)


def found(parts: Parts) -> dict[str, dict[str, str]]:
    return {recording.name: dict(recording.conditions) for recording in parts.train}


def test_by_path(tmp_path: Path) -> None:
    write(tmp_path, "a/7_ann_0.wav", "a/0_bob_3.wav")
    conditions = {**DIGIT, "folder": {"path": r"^([^/]+)/"}}
    assert found(split_recordings(recipe(tmp_path, conditions))) == {
        "a/0_bob_3.wav": {"digit": "0", "folder": "a"},
        "a/7_ann_0.wav": {"digit": "7", "folder": "a"},
    }


@pytest.mark.parametrize("lines", [False, True])
def test_by_manifest(tmp_path: Path, lines: bool) -> None:
    write(tmp_path, "x.wav", "y.wav")
    rows = [{"path": "x.wav", "load": " high "}, {"path": "y.wav", "load": "3"}]
    text = "".join(json.dumps(row) + "\n" for row in rows) if lines else "path,load\nx.wav, high \ny.wav,3\n"
    (tmp_path / "list").write_text(text)
    made = recipe(tmp_path, {"load": {"column": "load"}}, manifest="list")
    assert found(split_recordings(made)) == {"x.wav": {"load": "high"}, "y.wav": {"load": "3"}}
    with pytest.raises(InputError, match=r"missing_column: has no column 'lod'.*data\.conditions\.load"):
        split_recordings(recipe(tmp_path, {"load": {"column": "lod"}}, manifest="list"))


def test_by_sidecar(tmp_path: Path) -> None:
    write(tmp_path, "x.wav", "y.wav", "z.wav")
    (tmp_path / "x.json").write_text('{"machine": "pump", "load": 3}')
    (tmp_path / "y.json").write_text('{"machine": "fan", "load": true}')
    (tmp_path / "z.json").write_text('{"machine": ["fan"], "load": 1}')
    made = recipe(tmp_path, {"machine": {"sidecar": "machine"}, "load": {"sidecar": "load"}})
    parts = split_recordings(made)
    assert found(parts) == {
        "x.wav": {"machine": "pump", "load": "3"},
        "y.wav": {"machine": "fan", "load": "true"},
    }
    assert [error.code for error in parts.skipped] == ["missing_condition"]
    (tmp_path / "x.json").write_text("{")
    assert [error.code for error in split_recordings(made).skipped] == ["sidecar", "missing_condition"]


def test_a_file_without_a_value_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "7_ann_0.wav", "seven_ann_0.wav")
    parts = split_recordings(recipe(tmp_path, DIGIT))
    assert list(found(parts)) == ["7_ann_0.wav"]
    (error,) = parts.skipped
    assert (Path(error.path).name, error.code) == ("seven_ann_0.wav", "missing_condition")
    assert "data.conditions.digit" in error.detail and "data.exclude" in error.detail
    with pytest.raises(InputError, match="missing_condition"):
        split_recordings(recipe(tmp_path, DIGIT), strict=True)
    with pytest.raises(UsageError, match=r"none of 2 files can be used; first: .*missing_condition"):
        split_recordings(recipe(tmp_path, {"digit": {"path": r"(\d\d)_"}}))


def test_the_fingerprint_covers_the_values(tmp_path: Path) -> None:
    write(tmp_path, "7_ann_0.wav", "0_bob_0.wav")
    one, other, none = (
        split_recordings(recipe(tmp_path, conditions)).fingerprint
        for conditions in (DIGIT, {"digit": {"path": r"\d_([a-z]+)_\d+\.wav$"}}, {})
    )
    assert len({one, other, none}) == 3


def test_a_file_elsewhere_is_known_by_its_path_and_may_have_no_value(tmp_path: Path) -> None:
    write(tmp_path, "new/7_ann_0.wav", "new/other.wav")
    config = recipe(tmp_path / "root", DIGIT).data
    assert open_recordings(tmp_path / "new/7_ann_0.wav", config)[0].conditions == {"digit": "7"}
    assert open_recordings(tmp_path / "new/other.wav", config)[0].conditions == {}
    # Another kind of file than the recipe's, whose conditions need a manifest that is not there.
    (tmp_path / "x.csv").write_text("a\n" + "\n".join(map(str, range(99))))
    audio = AudioData(kind="audio", window=8, root=".", manifest="m", conditions={"load": {"column": "load"}})
    assert open_recordings(tmp_path / "x.csv", audio, columns={"load": "low"})[0].conditions == {
        "load": "low"
    }


def test_parts_and_copies_keep_them(tmp_path: Path) -> None:
    recording = ArrayRecording(np.zeros(9), conditions={"digit": "7"})
    assert recording.part(2, 5).part(1, 2).conditions == {"digit": "7"}
    assert copy.copy(recording).conditions == {"digit": "7"}
    assert ArrayRecording(np.zeros(9)).conditions == {}
    # Opened anew at another rate: the first file's.
    write(tmp_path, "0_a_0.wav", "7_a_0.wav")
    sf.write(tmp_path / "7_a_0.wav", 0.1 * np.random.default_rng(9).standard_normal(800), 16000)
    parts = split_recordings(recipe(tmp_path, DIGIT))
    assert [r.rate for r in parts.train] == [8000.0, 8000.0]
    assert found(parts)["7_a_0.wav"] == {"digit": "7"}


def test_made_up_data_have_variants() -> None:
    keys: dict[str, Any] = {"kind": "synthetic", "generator": "sine", "window": 8, "recordings": 5}
    plain = make_recordings(SyntheticData(**keys))
    pitch = {"pitch": {"path": "-([a-z])$"}}
    made = make_recordings(SyntheticData(**keys, variants=2, conditions=pitch))
    assert [r.name for r in made[:3]] == ["sine-000-a", "sine-001-b", "sine-002-a"]
    assert [r.conditions for r in made[:3]] == [{"pitch": "a"}, {"pitch": "b"}, {"pitch": "a"}]
    # The first variant is what there is without variants; the second is another.
    first, second = (np.array_equal(made[i].read(0, 99).values, plain[i].read(0, 99).values) for i in (0, 1))
    assert first and not second


def windows(dropout: float = 0.0, seed: int = 3) -> Windows:
    rng = np.random.default_rng(0)
    declared = [{"digit": "0", "speaker": "bob"}, {"digit": "7", "speaker": "mia"}, {"speaker": "eve"}]
    recordings = [ArrayRecording(rng.standard_normal(400), conditions=one) for one in declared]
    return Windows(
        recordings,
        window=50,
        hop=10,
        seed=seed,
        augment=AugmentConfig(shift=3),
        classes=CLASSES,
        dropout=dropout,
    )


def same(one: Batch, other: Batch) -> bool:
    left, right = one.tensors(), other.tensors()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_windows_tell_the_values_of_their_recording() -> None:
    (batch,) = windows(0.5).in_order(1000)
    assert batch.condition is not None
    assert batch.condition.shape == (len(batch), 5) and batch.condition.dtype == torch.float32
    each = len(batch) // 3
    rows = [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert batch.condition.tolist() == [row for row in rows for _ in range(each)]
    assert batch.context()["condition"] is batch.condition
    bare = Windows(windows().recordings, window=50, hop=10)
    assert "condition" not in bare.batch(0, 4).context()


def test_batches_split_join_and_move_with_their_condition() -> None:
    batch = windows().batch(0, 7)
    parts = list(batch.split(3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert same(Batch.join(parts), batch) and same(batch.to("cpu"), batch)
    chosen = batch[torch.tensor([True, False] * 3 + [True])]
    assert len(chosen) == 4 and chosen.condition is not None and len(chosen.condition) == 4


@given(st.integers(0, 2**60), st.integers(1, 9), st.integers(1, 9))
def test_dropout_depends_on_the_seed_and_the_index_alone(seed: int, one: int, other: int) -> None:
    made = windows(0.5, seed)
    left = Batch.join([made.batch(step, one) for step in range(other)])
    right = Batch.join([made.batch(step, other) for step in reversed(range(one))][::-1])
    assert same(left, right)
    # It changes nothing but the condition.
    full = Batch.join([windows(0.0, seed).batch(step, one) for step in range(other)])
    assert torch.equal(full.x, left.x)
    assert left.condition is not None and full.condition is not None
    assert bool((left.condition <= full.condition).all())


def test_the_same_conditions_for_any_number_of_workers() -> None:
    here, there = (list(windows(0.5).loader(2, 6, 8, workers)) for workers in (0, 2))
    assert all(same(one, other) for one, other in zip(here, there, strict=True))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_half_of_those_that_lose_lose_everything(count: int) -> None:
    n = 40_000
    kept = kept_conditions(0.2, count, 5, np.arange(n))
    assert kept.shape == (n, count)
    lost_all = 0.1 + 0.1 / (2**count - 1)
    assert np.isclose((~kept.all(axis=1)).mean(), 0.2, atol=0.01)
    assert np.isclose((~kept.any(axis=1)).mean(), lost_all, atol=0.01)
    # No condition is lost more often than another.
    assert np.ptp((~kept).mean(axis=0)) < 0.01
    assert kept_conditions(0.0, count, 5, np.arange(n)).all()
