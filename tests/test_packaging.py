"""The wheel holds every package of the tree."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "seqflow").rglob("__init__.py")}
    found |= {"seqflow_cli", "seqflow_recipes"}
    assert set(config["packages"]) == found
    assert config["package-dir"] == {"seqflow_cli": "cli", "seqflow_recipes": "recipes"}
