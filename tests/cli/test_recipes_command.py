"""`seqflow recipes`."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Seqflow

from seqflow.recipe import find, load, names


def test_the_list_has_all_of_them(seqflow: Seqflow) -> None:
    result = seqflow("recipes")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == names()
    assert result.out == seqflow("recipes", "list").out


@pytest.mark.parametrize("words", [["recipes", "--json"], ["recipes", "list", "--json"]])
def test_the_list_as_json(seqflow: Seqflow, words: list[str]) -> None:
    found = seqflow(*words).json
    assert [one["name"] for one in found] == names()
    by_name = {one["name"]: one for one in found}
    assert by_name["audio/fsdd"]["rate"] == 8000.0
    assert by_name["sensor/nab"]["rate"] is None


def test_show_prints_the_file(seqflow: Seqflow) -> None:
    assert seqflow("recipes", "show", "toy/sine").out == find("toy/sine").read_text()


def test_copy_makes_a_recipe_that_loads(
    seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = seqflow("recipes", "copy", "toy/sine")
    assert (result.code, result.out) == (0, "sine.yaml\n")
    assert load("sine.yaml") == load("toy/sine")
    assert seqflow("recipes", "copy", "toy/sine", "other.yaml").code == 0
    (tmp_path / "folder").mkdir()
    assert seqflow("recipes", "copy", "toy/sine", "folder").out == "folder/sine.yaml\n"


def test_copy_never_replaces(seqflow: Seqflow, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    result = seqflow("recipes", "copy", "toy/sine", path)
    assert result.code == 2 and "is there already" in result.err
    assert path.read_text() == "precious"


def test_copy_into_a_folder_that_is_not_there(seqflow: Seqflow, tmp_path: Path) -> None:
    result = seqflow("recipes", "copy", "toy/sine", tmp_path / "no" / "mine.yaml")
    assert result.code == 5 and "no such folder" in result.err


def test_schema(seqflow: Seqflow) -> None:
    found = seqflow("recipes", "schema").json
    assert found["properties"]["train"] and found["additionalProperties"] is False


def test_unknown_names(seqflow: Seqflow, tmp_path: Path) -> None:
    for words in (["show", "toy/sin"], ["copy", "toy/sin", tmp_path / "x.yaml"]):
        result = seqflow("recipes", *words)
        assert result.code == 2 and "nearest 'toy/sine'" in result.err
    assert not list(tmp_path.iterdir())
