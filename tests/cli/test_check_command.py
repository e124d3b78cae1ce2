"""`seqflow check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Seqflow

from seqflow.recipe import names, read

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join('*' + a for _ in range(9))}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("name", names())
def test_shipped_recipes_are_sound(seqflow: Seqflow, name: str) -> None:
    result = seqflow("check", name)
    assert result.code == 0
    assert result.out.split()[:2] == ["recipe", f"{name}:"]


def test_it_says_what_the_recipe_says(seqflow: Seqflow) -> None:
    out = seqflow("check", "toy/sine", "--set", "train.steps=70", "--set", "sample.seconds=2").out
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert rows["data"] == "made up (sine): 60 recordings of 2 s"
    assert rows["windows"].startswith("128 samples (0.128 s), every 128; 1000 Hz")
    assert rows["layers"] == "standardize, whitening 32, squeeze 2, 2 x (affine_coupling)"
    assert rows["training"].startswith("70 steps of 16 windows (1120 in all)")
    assert rows["samples"] == "2 of 2 s, temperature 1"


def test_json_is_the_whole_recipe(seqflow: Seqflow) -> None:
    found = seqflow("check", "toy/sine", "--json", "--set", "train.lr=1e-4").json
    assert found["train"]["lr"] == 1e-4
    assert found["score"]["terms"] == ["nll", "latent", "local", "typicality"]


def test_missing_data_are_a_note_and_no_fault(seqflow: Seqflow, tmp_path: Path) -> None:
    root = tmp_path / "nowhere"
    result = seqflow("check", "audio/fsdd", "--set", f"data.root={root}")
    assert result.code == 0
    assert f"data.root: {root}: no such folder here" in result.err
    root.mkdir()
    assert seqflow("check", "audio/fsdd", "--set", f"data.root={root}").err == ""


def test_all_faults_at_once_each_with_its_line(seqflow: Seqflow, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = read("toy/sine").replace("steps: 200", "stepz: 200").replace("window: 128", "window: 127")
    path.write_text(text)
    result = seqflow("check", path, "--set", "train.lr=fast")
    assert (result.code, result.out) == (2, "")
    lines = result.err.splitlines()
    at = {key: text[: text.index(key)].count("\n") + 1 for key in ("window:", "stepz:")}
    assert lines[0].startswith(f"{path}:{at['window:']}:11: data.window: 127: must be a multiple of 2")
    assert lines[1].startswith(
        f"{path}:{at['stepz:']}:3: train.stepz: 200: unknown key; nearest valid key 'steps'"
    )
    assert lines[2].startswith("--set train.lr=fast: train.lr: 'fast': must be a number")
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (BOMB, "more than 10000 values"),
        ("[" * 100_000, "nested more than"),
        ("a: " + "9" * 100_000, "too long for a number"),
        ("x" * 200_000, "a recipe has at most"),
        ("a: !!python/object/apply:os.system [ls]", "tags are not allowed"),
        ("", "is empty"),
        ("\x00", "holds the character"),
    ],
    ids=["aliases", "nesting", "digits", "size", "tag", "empty", "control"],
)
def test_hostile_text_is_refused(seqflow: Seqflow, tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    result = seqflow("check", path)
    assert (result.code, result.out) == (2, "")
    assert what in result.err


def test_an_unknown_name_gets_the_nearest(seqflow: Seqflow) -> None:
    assert "nearest 'toy/sine'" in seqflow("check", "toy/sin").err
    assert "nearest 'toy/sine'" in seqflow("check", "sine").err


def test_a_folder_is_no_recipe(seqflow: Seqflow, tmp_path: Path) -> None:
    folder = tmp_path / "x.yaml"
    folder.mkdir()
    result = seqflow("check", folder)
    assert result.code == 2 and "is not a file" in result.err
