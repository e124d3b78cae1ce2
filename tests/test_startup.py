"""Looking something up costs no second: help and checks import none of the heavy libraries."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ["torch", "numpy", "scipy", "matplotlib", "librosa", "pyarrow", "soundfile", "sklearn", "safetensors"]
HEAVY += ["fastapi", "starlette", "uvicorn", "asyncio", "werkzeug"]
COMMANDS = [
    *("train", "score", "sample", "batch", "check", "recipes", "info", "data", "export", "demo", "detect"),
    *("benchmark", "inpaint", "morph", "reconstruct", "calibrate", "stream", "serve", "explain"),
]

SCRIPT = f"""
import contextlib, io, sys
import seqflow
assert not set({HEAVY}) & set(sys.modules), "import seqflow"
assert "pydantic" not in sys.modules, "import seqflow"
from seqflow_cli.main import run
for words in {[*([command, "--help"] for command in COMMANDS), [], ["--version"], ["nothing"]]}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run(words)
    found = set({[*HEAVY, "ruamel"]}) & set(sys.modules)
    assert not found, (words, found)
for words in (["check", "toy/sine"], ["check", "audio/fsdd", "--json"], ["recipes"], ["recipes", "schema"]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run(words) == 0
    found = set({HEAVY}) & set(sys.modules)
    assert not found, (words, found)
"""


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_home_locale_or_a_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "Größe"
    folder.mkdir()
    recipe = folder / "märz.yaml"
    env = {"HOME": "/nonexistent", "LC_ALL": "C", "PATH": os.environ["PATH"]}
    for words, code in (
        (["recipes", "copy", "toy/sine", str(recipe)], 0),
        (["check", str(recipe)], 0),
        ([], 0),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "seqflow_cli", *words], capture_output=True, env=env, cwd="/", timeout=60
        )
        assert (done.returncode, done.stderr) == (code, b""), done.stderr
    assert recipe.is_file()


def test_a_reader_that_goes_away_leaves_no_trace() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "seqflow_cli", "recipes", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141
    process.stderr.close()


@pytest.mark.parametrize(
    ("streams", "code", "line"),
    [(">/dev/full", 5, "seqflow: no space left on the disk"), (">&-", 0, ""), ("2>&- >/dev/null", 0, "")],
)
def test_streams_that_are_full_or_closed(streams: str, code: int, line: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m seqflow_cli recipes {streams}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert done.stderr.startswith(line) and done.stderr.count("\n") == bool(line)


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=lambda path: path.name)
def test_command_modules_import_little(path: Path) -> None:
    light = set(sys.stdlib_module_names) | {"typer"}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Import(names=names):
                assert {name.name.split(".")[0] for name in names} <= light
            case ast.ImportFrom(module=str(module), level=0):
                assert module.split(".")[0] in light or module in (
                    "seqflow.errors",
                    "seqflow.files",
                    "seqflow.launch",
                )
            case _:
                pass
