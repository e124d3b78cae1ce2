"""Which file belongs to which part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.data import partition as module
from seqflow.errors import UsageError
from seqflow.recipe import SplitConfig

NAMES = [f"m{machine}/{take:02d}.wav" for machine in range(5) for take in range(8)]


def partition(
    names: list[str], split: SplitConfig, seed: int, given: dict[str, str] | None = None
) -> dict[str, str]:
    """The parts by name, of files that have one."""
    parts = module.partition(names, split, seed, [(given or {}).get(name) for name in names])
    return {name: part for name, part in zip(names, parts, strict=True) if part is not None}


def sizes(parts: dict[str, str]) -> dict[str, int]:
    return {part: list(parts.values()).count(part) for part in sorted({*parts.values()})}


@given(
    st.integers(3, 200),
    st.integers(0, 2**60),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sampled_from([0.0, 0.2, 0.5]),
)
def test_fractions(n: int, seed: int, valid: float, calibration: float) -> None:
    names = [f"{i}.wav" for i in range(n)]
    split = SplitConfig(valid=valid, calibration=calibration)
    parts = partition(names, split, seed)
    assert parts.keys() == set(names)
    found = sizes(parts)
    assert found["train"] >= 1
    for part, fraction in (("valid", valid), ("calibration", calibration)):
        count = found.get(part, 0)
        assert count == 0 if fraction == 0 else count >= 1
        if n > 20 and fraction:
            assert abs(count - fraction * n) <= 0.5
    # A function of seed and names, not of their order.
    assert partition(names[::-1], split, seed) == parts


def test_seeds_part_differently_and_new_files_change_little() -> None:
    split = SplitConfig(valid=0.2, calibration=0.2)
    one, other = partition(NAMES, split, 1), partition(NAMES, split, 2)
    assert one != other
    more = partition([*NAMES, "new.wav"], split, 1)
    assert sum(more[name] != one[name] for name in NAMES) <= 2


@given(st.integers(0, 2**60), st.sampled_from([r"^m\d", r"^(m\d)/", r"m(?P<machine>\d)"]))
def test_groups_stay_together(seed: int, group: str) -> None:
    parts = partition(NAMES, SplitConfig(group=group, valid=0.2, calibration=0.2), seed)
    for machine in range(5):
        assert len({parts[name] for name in NAMES if name.startswith(f"m{machine}")}) == 1
    assert sizes(parts) == {"train": 24, "valid": 8, "calibration": 8}


def test_names_outside_every_group_stand_alone() -> None:
    names = ["x/1", "x/2", "y/1", "y/2", "solo1", "solo2", "solo3"]
    parts = partition(names, SplitConfig(group="^[xy]", valid=0.15, calibration=0.15), 3)
    assert parts["x/1"] == parts["x/2"] and parts["y/1"] == parts["y/2"]
    assert set(sizes(parts)) == {"train", "valid", "calibration"}


def test_patterns() -> None:
    split = SplitConfig(test=("m4/**",), valid=("**/07.wav",), calibration=0.25)
    with pytest.raises(UsageError, match=r"data\.split\.valid: m4/07\.wav belongs to test already"):
        partition(NAMES, split, 0)
    split = SplitConfig(test=("m4/**",), valid=("m[0-3]/07.wav",), calibration=0.25)
    parts = partition(NAMES, split, 0)
    assert {n for n, p in parts.items() if p == "test"} == {n for n in NAMES if n.startswith("m4")}
    assert {n for n, p in parts.items() if p == "valid"} == {f"m{i}/07.wav" for i in range(4)}
    assert sizes(parts) == {"calibration": 8, "test": 8, "train": 20, "valid": 4}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"valid": ("x*",)}, "leaves no file for valid"),
        ({"calibration": ("**",), "valid": 0.0}, "leaves no file for train"),
        ({"test": ("**",)}, "0 files cannot be parted into train, valid and calibration"),
        ({"test": ("**",), "valid": 0.0, "calibration": 0.0}, "leaves no file for train"),
        (
            {"group": "^m"},
            "40 files in 1 group cannot be parted into train, valid and calibration; .*by: time",
        ),
        ({"group": "^m.", "test": ("m0/00.wav",)}, "both of the group 'm0', but not of the same part"),
    ],
)
def test_splits_that_do_not_work(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        partition(NAMES, SplitConfig(**keys), 0)


def test_one_file_only() -> None:
    with pytest.raises(UsageError, match=r"1 file cannot be parted .*; add files, set data\.split\.by: time"):
        partition(["a.wav"], SplitConfig(), 0)
    assert partition(["a.wav"], SplitConfig(valid=0.0, calibration=0.0), 0) == {"a.wav": "train"}


def test_a_manifest_goes_first() -> None:
    given_parts = {"m0/00.wav": "valid", "m0/01.wav": "test", "m0/02.wav": "train"}
    split = SplitConfig(test=("m0/00.wav", "m1/00.wav"), calibration=0.5)
    parts = partition(NAMES, split, 0, given_parts)
    assert given_parts.items() <= parts.items()
    assert parts["m1/00.wav"] == "test"
    # valid is named by the manifest: no others join it.
    assert sizes(parts) == {"calibration": 19, "test": 2, "train": 18, "valid": 1}


def test_by_time_only_named_files_are_whole() -> None:
    split = SplitConfig(by="time", test=("m4/**",))
    parts = partition(NAMES, split, 0, {"m0/00.wav": "train"})
    assert sizes(parts) == {"test": 8, "train": 1}
