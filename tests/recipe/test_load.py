"""Recipes from text: values, overrides, and faults with their place, all at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.errors import RecipeError
from seqflow.recipe import load, parse, read

MINIMAL = """name: test/minimal
data: {kind: synthetic, generator: sine, window: 64}
model:
  layers:
    - kind: standardize
    - {kind: squeeze, factor: 2}
"""


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse(text, "r.yaml", overrides)
    assert str(caught.value).splitlines() == caught.value.problems
    return caught.value.problems


def test_what_is_not_said_has_its_default() -> None:
    recipe = parse(MINIMAL)
    assert recipe.train.steps == 2000 and recipe.score.alarm_rate == 0.05
    assert recipe.model.divisor == 2


def test_numbers_are_yaml_1_2() -> None:
    recipe = parse(MINIMAL + "train: {lr: 1e-3, steps: 0o20, warmup: 0}\ndescription: 'yes'\n")
    assert recipe.train.lr == 1e-3
    assert recipe.train.steps == 16
    assert problems(MINIMAL + "train: {tensorboard: yes}\n") == [
        "r.yaml:7:22: train.tensorboard: 'yes': must be true or false; write true"
    ]


@pytest.mark.parametrize(
    ("line", "place", "what"),
    [
        ("seed: -1", "7:7: seed: -1: ", "at least 0"),
        ("seed: 1.0", "7:7: seed: 1.0: ", "whole number; write 1"),
        ("seed: '1'", "7:7: seed: '1': ", "whole number; remove the quotes"),
        ("sead: 1", "7:1: sead: 1: ", "nearest valid key 'seed'"),
        ("window: 64", "7:1: window: 64: ", "valid below 'data'"),
        ("train: {lr: fast}", "7:13: train.lr: 'fast': ", "must be a number"),
        ("train: {batch: 9999999}", "7:16: train.batch: 9999999: ", "must be at most 1048576"),
        ("train: {lr: .nan}", "7:13: train.lr: nan: ", "finite"),
        ("train: {batch: 6, micro_batch: 4}", "7:32: train.micro_batch: 4: ", "does not divide"),
        ("train: 3", "7:8: train: 3: ", "must be a mapping of keys"),
        ("score: {terms: [nll, nul]}", "7:22: score.terms.1: 'nul': ", "nearest 'nll'"),
        ("score: {terms: nll}", "7:16: score.terms: 'nll': ", "must be a list; put it in [ ]"),
        ("score: {terms: [nll, nll]}", "7:9: score.terms: ", "twice"),
        ("sample: {length: 63}", "7:18: sample.length: 63: ", "nearest 62 or 64"),
        ("name: again", "7:1: name: ", "is given twice, first in line 1"),
        ("1: x", "7:1: recipe: 1: ", "a key must be text"),
        ("<<: {}", "7:1: recipe: <<: ", "merge keys are not allowed"),
        ("description: !!str x", "7:14: description: !!str: ", "tags are not allowed"),
        ("seed: *nobody", "7:7: seed: *nobody: ", "no finished anchor"),
        ("seed: [", "", "is not YAML"),
        ("--- {}", "7:1: ", "second document"),
    ],
)
def test_a_fault_has_its_place_and_a_way_out(line: str, place: str, what: str) -> None:
    found = problems(MINIMAL + line + "\n")
    assert len(found) == 1
    assert found[0].startswith(f"r.yaml:{place}") and what in found[0]


CONDITIONED = """name: test/conditioned
data:
  kind: audio
  root: in
  window: 64
  conditions:
    digit: {path: '(\\d)_'}
    speaker: {sidecar: speaker}
model:
  condition: [digit]
  layers:
    - {kind: squeeze, factor: 2}
    - {kind: affine_coupling}
"""


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("(\\d)_", "(\\d", "7:19: data.conditions.digit.path: '(\\\\d': is not a regular expression"),
        (
            "(\\d)_",
            "\\d",
            "7:19: data.conditions.digit.path: '\\\\d': must have one group in ( ), which is the value",
        ),
        ("path: '(\\d)_'", "", "7:12: data.conditions.digit.path: is missing: give path, column or sidecar"),
        (
            "path: '(\\d)_'",
            "column: d",
            "7:21: data.conditions.digit.column: 'd': has a meaning only with data.man",
        ),
        (
            "sidecar: speaker",
            "sidcar: x",
            "8:15: data.conditions.speaker.sidcar: 'x': unknown key; nearest valid key",
        ),
        (
            "sidecar: speaker",
            "sidecar: x, column: y",
            "8:24: data.conditions.speaker.sidecar: 'x': and column",
        ),
        ("    digit:", "    a digit:", "7:5: data.conditions.a digit: is no name: use letters, digits and _"),
        ("[digit]", "[digt]", "10:15: model.condition.0: 'digt': is not in data.conditions; nearest 'digit'"),
        ("[digit]", "[load]", "is not in data.conditions; there are digit, speaker"),
        ("[digit]", "[digit, digit]", "10:22: model.condition.1: 'digit': is there twice"),
        (
            "    - {kind: affine_coupling}\n",
            "",
            "10:3: model.condition: ['digit']: needs a coupling among the layers",
        ),
        ("kind: audio\n  root: in", "kind: synthetic\n  generator: sine", "must come from the path"),
    ],
)
def test_conditions_have_their_faults_named(before: str, after: str, what: str) -> None:
    recipe = parse(CONDITIONED)
    assert recipe.data.conditions["digit"].path == r"(\d)_" and recipe.model.condition == ("digit",)
    found = problems(CONDITIONED.replace(before, after))
    assert any(line.startswith("r.yaml:") and what in line for line in found), found


def test_faults_come_all_at_once_in_the_order_of_the_file() -> None:
    text = MINIMAL.replace("window: 64", "window: 1").replace("factor: 2", "factr: 2")
    found = problems(text + "train: {steps: 0}\nscor: {}\n")
    keys = [line.split(": ")[1] for line in found]
    assert keys == ["data.window", "model.layers.1.factr", "train.steps", "scor"]


def test_faults_between_parts_show_beside_faults_elsewhere() -> None:
    found = problems(MINIMAL.replace("window: 64", "window: 63") + "train: {steps: 0}\n")
    assert [line.split(": ")[1] for line in found] == ["data.window", "train.steps"]


def test_a_coupling_without_a_second_channel() -> None:
    text = MINIMAL.replace("{kind: squeeze, factor: 2}", "kind: conv_coupling")
    assert (
        "put a squeeze before it"
        in problems(text.replace("generator: sine", "generator: sine, channels: first"))[0]
    )


def test_overrides_change_single_values() -> None:
    recipe = parse(
        MINIMAL, "r.yaml", ["train.lr=1e-4", "model.layers.1.factor=4", "score.terms=[nll]", "data.step=0.5"]
    )
    assert recipe.train.lr == 1e-4
    assert recipe.model.divisor == 4
    assert recipe.score.terms == ("nll",)
    assert recipe.data.step == 0.5


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("train.stepz=3", "--set train.stepz=3: train.stepz: 3: unknown key; nearest valid key 'steps'"),
        ("train.steps", "--set train.steps: is not of the form key.key=value"),
        ("=3", "--set =3: is not of the form"),
        ("model.layers.9.factor=2", "has no entry 9; the last is 1"),
        ("model.layers.x.factor=2", "is a list; give the number of an entry, 0 to 1"),
        ("seed.x=2", "--set seed.x=2: seed: must be a whole number"),
        ("name.x=2", "is a single value and has no key 'x'"),
        ("train.steps=[", "--set train.steps=[:1:"),
        ("train.steps=many", "--set train.steps=many: train.steps: 'many': must be a whole number"),
    ],
)
def test_a_bad_override_is_named_as_typed(override: str, what: str) -> None:
    assert what in problems(MINIMAL, override)[0]


@pytest.mark.parametrize(
    "pattern", ["/etc/*", "../x", "a/../../b", ""], ids=["absolute", "up", "up inside", "empty"]
)
def test_patterns_stay_below_the_root(pattern: str) -> None:
    text = MINIMAL.replace(
        "{kind: synthetic, generator: sine, window: 64}",
        f"{{kind: audio, root: x, window: 64, files: ['{pattern}']}}",
    )
    assert "must be a pattern below data.root" in problems(text)[0]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "Ünïcode name.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load(path) == parse(MINIMAL)
    assert read(path).startswith("name: test/minimal")


def test_files_that_are_none(tmp_path: Path) -> None:
    pipe, latin = tmp_path / "pipe.yaml", tmp_path / "latin.yaml"
    os.mkfifo(pipe)
    latin.write_bytes(b"name: a\ndescription: \xe4\n")
    for path, what in (
        (tmp_path / "no.yaml", "no such file"),
        (tmp_path, "is not a file"),
        (pipe, "is not a file"),
        (latin, "latin.yaml:2: is not UTF-8 text"),
    ):
        with pytest.raises(RecipeError, match=what):
            load(path)
    for place, what in ((str(tmp_path), "is a folder"), ("/dev/zero", "is not a file"), ("", "no such file")):
        with pytest.raises(RecipeError, match=what):
            load(place)


def test_nested_repeats_are_counted_before_they_are_unrolled() -> None:
    layers = "[{kind: standardize}]"
    for _ in range(7):
        layers = f"[{{kind: repeat, times: 256, layers: {layers}}}]"
    text = MINIMAL[: MINIMAL.index("model:")] + f"model: {{layers: {layers}}}\n"
    assert "unroll to 7.21e+16 layers" in problems(text)[0]


@given(st.text(max_size=200))
def test_no_text_does_more_than_raise(text: str) -> None:
    try:
        parse(text)
    except RecipeError as error:
        assert error.problems


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_override_does_more_than_raise(key: str, value: str) -> None:
    try:
        parse(MINIMAL, "r.yaml", [f"{key}={value}", f"train.{key}={value}", f"model.layers.{key}={value}"])
    except RecipeError as error:
        assert error.problems
