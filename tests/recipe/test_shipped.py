"""Every recipe that comes with seqflow loads, builds, says what it is for, and keeps its form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from seqflow.bijections import LevelPyramid
from seqflow.build import build_flow
from seqflow.classes import Classes
from seqflow.errors import RecipeError
from seqflow.recipe import (
    Recipe,
    SyntheticData,
    dump,
    find,
    load,
    names,
    parse,
    read,
    reference,
    schema,
    shelf,
)

ROOT = Path(__file__).parents[2]
CHANNELS = {"tsb/multivariate": 3}


@pytest.mark.parametrize("name", names())
def test_it_builds_and_gives_a_density(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    channels = CHANNELS.get(name, 1)
    classes = Classes(dict.fromkeys(recipe.model.condition, ("a", "b")))
    flow = build_flow(recipe, channels, rate=100.0, classes=classes).eval()
    x = torch.randn(2, channels, recipe.data.window, generator=torch.Generator().manual_seed(0))
    context = {"step": torch.tensor([0.0, 1 / 128]), "position": torch.tensor([0, 5])}
    flow.initialize(x, context)
    with torch.no_grad():
        log_prob = flow.log_prob(x, context)
    assert log_prob.shape == (2,) and bool(torch.isfinite(log_prob).all())
    # Every multiple of the divisor is a length it serves, whatever frames of it are short.
    for count in (1, 3, 5, 131):
        assert flow.latent_shape(count * flow.divisor)[1] % count == 0


@pytest.mark.parametrize("name", names())
def test_its_head_says_data_command_and_what_to_expect(name: str) -> None:
    head = [line for line in read(name).splitlines() if line.startswith("#")]
    text = "\n".join(head)
    assert all(part in text for part in ("\n# Data: ", "\n# Run:  seqflow train ", "\n# Expect: "))
    assert f"seqflow train {name}" in text
    assert load(name).description.endswith(".")


@pytest.mark.parametrize("name", names())
def test_the_commands_in_its_head_are_sound(name: str) -> None:
    command = re.search(r"# Run:  seqflow train (\S+)(.*)", read(name))
    assert command is not None
    settings = re.findall(r"--set (\S+)", command[2])
    assert load(command[1], settings).name == name


def test_the_toys_need_no_files() -> None:
    toys = [name for name in names() if name.startswith("toy/")]
    assert toys and all(isinstance(load(name).data, SyntheticData) for name in toys)


def test_the_shelf() -> None:
    assert [one.name for one in shelf()] == names()


def test_the_shelf_ignores_what_lies_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "sine").write_text("not: a recipe")
    assert [one.name for one in shelf()] == names()
    with pytest.raises(RecipeError):
        load("toy/sine")  # here a file goes before a name


@pytest.mark.parametrize("name", names())
def test_what_is_written_reads_back_the_same(name: str) -> None:
    recipe = load(name)
    text = dump(recipe)
    assert parse(text) == recipe
    assert dump(parse(text)) == text


def test_the_page_on_recipes_is_what_the_program_says() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert page == reference(), "write docs/recipes.md anew from seqflow.recipe.reference()"


def test_the_schema_knows_every_key() -> None:
    found = json.loads(json.dumps(schema()))
    assert found["properties"].keys() == Recipe.model_fields.keys()


def test_an_unknown_name() -> None:
    for near in ("toy/sine2", "sine", "toy/sin"):
        with pytest.raises(RecipeError, match="nearest 'toy/sine'"):
            find(near)
    with pytest.raises(RecipeError, match="known: audio/fsdd"):
        find("qqqq")


@pytest.mark.parametrize("overrides", [[], ["data.window=4096", "data.hop=1024"]])
def test_levels_are_halved_as_often_as_a_window_has_them(overrides: list[str]) -> None:
    recipe = load("audio/fsdd", overrides)
    flow = build_flow(recipe, 1, 8000.0, 2.0**-15)
    (pyramid,) = [layer for layer in flow.bijection.modules() if type(layer) is LevelPyramid]
    blocks = recipe.data.window // 8 // 16
    assert 2 ** len(pyramid.linear) == blocks
