"""Imports go down only: a piece may import what stands below it, never what stands above."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {
    # piece: what of seqflow it may import
    "errors": set(),
    "ops": {"errors"},
    "distributions": {"errors"},
    "networks": {"ops"},
    "bijections": {"ops", "errors"},
    "flow": {"bijections", "distributions", "ops", "errors"},
}
TORCH_ONLY = {"ops", "bijections", "networks", "distributions", "flow"}
FILES = sorted((ROOT / "seqflow").rglob("*.py"))


def piece(path: Path) -> str:
    return path.relative_to(ROOT / "seqflow").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Absolute dotted names that a file imports, relative imports resolved."""
    package = ["seqflow", *path.relative_to(ROOT / "seqflow").parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_go_down(path: Path) -> None:
    names = imported(path)
    assert not {
        n for n in names if n.split(".")[0] in {"seqflow_cli", "seqflow_recipes", "tests", "benchmarks"}
    }
    here = piece(path)
    if here in LAYERS:
        used = {n.split(".")[1] for n in names if n.startswith("seqflow.")}
        assert used <= LAYERS[here] | {here}, f"{path.name} imports from above"
    if here in TORCH_ONLY:
        allowed = {"torch", "numpy", "math", "seqflow"} | set(__import__("sys").stdlib_module_names)
        assert {n.split(".")[0] for n in names} <= allowed


def test_the_scan_finds_relative_imports() -> None:
    assert "seqflow.bijections.base.Bijection" in imported(ROOT / "seqflow" / "flow.py")
