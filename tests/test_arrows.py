"""Imports go down only: a piece may import what stands below it, never what stands above."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

GROUND = {"errors", "files", "lock", "launch", "runtime", "ranks"}
MATHS = {"ops", "bijections", "networks", "distributions", "classes", "flow"}
# Piece: what of seqflow it may import. From the ground up; a piece that is not here has no place yet.
LAYERS = {
    "errors": set(),
    "files": {"errors"},
    "lock": {"errors", "files"},
    "launch": {"errors"},
    "runtime": {"launch", "errors"},
    "ranks": {"launch", "runtime", "errors"},
    "classes": {"errors"},
    "codec": set(),
    "references": set(),
    "metrics": {"errors"},
    "detector": set(),
    "mixture": set(),
    "shapes": {"detector", "mixture", "errors"},
    "ops": {"errors"},
    "networks": {"ops"},
    "distributions": {"ops", "mixture", "errors"},
    "bijections": {"ops", "errors"},
    "flow": {"bijections", "distributions", "classes", "ops", "errors"},
    "shape_flow": {*MATHS, "shapes", "detector", "mixture", "errors"},
    "recipe": {"errors", "files"},
    "data": {"recipe", "classes", "errors", "files"},
    "corruptions": {"data"},
    "objective": {"flow", "data", "errors"},
    "checkpoint": {"errors", "files"},
    "build": {*MATHS, "recipe", "errors"},
    "marginals": {"distributions", "errors"},
    "truncation": {"distributions", "marginals", "errors"},
    "sampling": {"flow", "truncation", "errors"},
    "generation": {"flow", "bijections", "distributions", "marginals", "sampling", "errors"},
    "scoring": {*MATHS, *GROUND, "recipe", "data", "codec"},
    "explanation": {"flow", "recipe", "data", "scoring", "generation", "errors"},
    "live": {"recipe", "data", "scoring", "checkpoint", "errors", "files"},
    "quality": set(),
    "drawing": {"files"},
    "plots": {"drawing", "data", "scoring", "explanation"},
    "figures": {"drawing"},
    "report": {"drawing"},
    "model": {*MATHS, *GROUND, "recipe", "data", "build", "sampling", "checkpoint", "scoring"},
}
BELOW_MODEL = {*LAYERS}
LAYERS |= {
    "training": {*BELOW_MODEL, "model"},
    "jobs": {*BELOW_MODEL, "model", "training"},
    "serve": {*BELOW_MODEL, "model", "training", "jobs"},
    # The names that most programs need, each imported when it is used.
    "__init__": {*BELOW_MODEL, "model", "training", "jobs"},
}
TORCH_ONLY = MATHS
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
    tops = {name.split(".")[0] for name in names}
    assert not tops & {"seqflow_cli", "tests", "benchmarks"}
    assert path.name == "shipped.py" or "seqflow_recipes" not in tops
    here = piece(path)
    assert here in LAYERS, f"{path.name} has no place among the layers"
    used = {name.split(".")[1] for name in names if name.startswith("seqflow.")}
    above = used - LAYERS[here] - {here, "__version__"}
    assert not above, f"{path.relative_to(ROOT)} imports from above: {', '.join(sorted(above))}"
    if here in TORCH_ONLY:
        assert tops <= {"torch", "numpy", "seqflow"} | set(sys.stdlib_module_names)
    if here == "codec":
        assert tops <= {"numpy", "soundfile"} | set(sys.stdlib_module_names)
    if here == "references":
        assert tops <= {"numpy", "scipy", "seqflow"} | set(sys.stdlib_module_names)
    if here == "metrics":
        assert tops <= {"numpy", "scipy", "sklearn", "seqflow"} | set(sys.stdlib_module_names)
    if here in ("recipe", "errors", "files", "lock", "launch"):
        assert not tops & {"torch", "numpy", "scipy"}


def test_no_arrow_goes_round() -> None:
    # Each piece stands above all it may import: the order of the table is one in which that holds.
    order = list(LAYERS)
    for place, (here, allowed) in enumerate(LAYERS.items()):
        assert allowed <= set(order[:place]), here


def test_commands_import_only_what_they_call() -> None:
    for path in sorted((ROOT / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert not str(node.module).startswith("seqflow_"), f"{path.name} imports itself by name"


def test_the_scan_finds_relative_imports() -> None:
    assert "seqflow.bijections.base.Bijection" in imported(ROOT / "seqflow" / "flow.py")
