"""What is built from the source tree is whole: every package, every recipe, and the command runs from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ["pyproject.toml", "README.md", "LICENSE", "seqflow", "cli", "recipes"]


def test_every_package_is_listed() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "seqflow").rglob("__init__.py")}
    found |= {"seqflow_cli", "seqflow_recipes"}
    assert set(config["packages"]) == found
    assert config["package-dir"] == {"seqflow_cli": "cli", "seqflow_recipes": "recipes"}
    assert not list((ROOT / "cli").glob("*/")) or {p.name for p in (ROOT / "cli").glob("*/")} == {
        "__pycache__"
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the source archive, and the wheel made from that archive."""
    folder = tmp_path_factory.mktemp("build")
    tree = folder / "tree"
    tree.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(tree)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def sources() -> set[str]:
    """Names that the wheel must hold: all Python of the packages, and the recipes."""
    names = {"seqflow/py.typed"}
    for folder, package, kinds in (
        ("seqflow", "seqflow", ["*.py"]),
        ("cli", "seqflow_cli", ["*.py"]),
        ("recipes", "seqflow_recipes", ["*.py", "*.yaml"]),
    ):
        for kind in kinds:
            names |= {f"{package}/{path.relative_to(ROOT / folder)}" for path in (ROOT / folder).rglob(kind)}
    return names


def test_the_wheel_holds_all_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {name.split("/", 1)[1] for name in archive.namelist() if ".dist-info/" in name}
    assert names == sources()
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= about


def test_the_source_archive_holds_what_the_wheel_needs(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.split("/", 1)[1] for name in file.getnames() if "/" in name}
    assert {"pyproject.toml", "README.md", "LICENSE", "cli/main.py", "recipes/toy/sine.yaml"} <= names


def test_the_command_runs_from_the_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--target", str(target), str(wheel)], check=True, timeout=120)
    env = {**os.environ, "PYTHONPATH": str(target)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [str(target / "bin" / "seqflow"), *words], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run("--version") == f"seqflow {version}\n"
    assert "toy/sine" in run("recipes")
    assert run("check", "toy/sine").startswith("recipe    toy/sine: ")
    where = (
        "import seqflow as a, seqflow_cli as b, seqflow_recipes as c; print(*(m.__file__ for m in (a, b, c)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.count(str(target)) == 3
