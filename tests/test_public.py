"""What the package offers by name is there, and says what it is."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest

import seqflow
from seqflow.recipe import Recipe, load

ROOT = Path(__file__).parents[1] / "seqflow"
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)


def test_every_name_is_there() -> None:
    for name in seqflow.__all__:
        assert getattr(seqflow, name) is not None
        assert name in dir(seqflow)
    assert seqflow.__version__ == version("seqflow-audio")
    assert seqflow.load_recipe is load and seqflow.Recipe is Recipe


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seqflow.nothing  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_modules_import_and_keep_their_promises(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", ()):
        assert hasattr(module, public)
    for public, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == name and not public.startswith("_"):
            assert value.__doc__, f"{name}.{public} has no docstring"


def test_the_library_prints_nothing() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "print(" not in text.replace(".print(", ""), path
