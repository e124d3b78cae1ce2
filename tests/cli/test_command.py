"""The command as a whole: help, versions, and what becomes of errors."""

from __future__ import annotations

import errno
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from calls import Seqflow

from seqflow.errors import InputError, ResourceError, SeqflowError, UsageError
from seqflow_cli import check, console, outcome
from seqflow_cli.main import run

COMMANDS = [
    *("train", "score", "sample", "batch", "check", "recipes", "info", "data", "export", "demo"),
    *("benchmark", "inpaint", "morph", "reconstruct", "calibrate", "explain"),
]


def test_alone_it_tells_what_to_do(seqflow: Seqflow) -> None:
    result = seqflow()
    assert (result.code, result.err) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in result.out
    assert "seqflow train toy/sine" in result.out
    assert result.out == seqflow("--help").out == seqflow("-h").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(seqflow: Seqflow, command: str) -> None:
    result = seqflow(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Usage: seqflow {command}" in result.out
    assert f"    seqflow {command}" in result.out.split("Examples:")[1]


def test_version(seqflow: Seqflow) -> None:
    assert seqflow("--version").out == f"seqflow {version('seqflow-audio')}\n"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["train"], "Missing argument"),
        (["check", "toy/sine", "--sat", "a=1"], "No such option"),
        (["recipes", "lst"], "No such command 'lst'"),
    ],
)
def test_words_that_do_not_fit_are_one_line_and_exit_2(seqflow: Seqflow, words: list[str], what: str) -> None:
    result = seqflow(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert what in result.err and "--help)" in result.err


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("seqflow.recipe.load", raise_it)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("a: b"), 2, "a: b"),
        (InputError("x.wav", "silent", "no sound"), 3, "x.wav: silent: no sound"),
        (ResourceError("full"), 5, "full"),
        (SeqflowError("odd"), 1, "odd"),
        (MemoryError(), 5, "seqflow: out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: x"), 5, "seqflow: out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "seqflow: no space left"),
        (KeyError("boom"), 1, "seqflow: internal error: KeyError: 'boom'; the same with --debug"),
        (ValueError("two\nlines"), 1, "seqflow: internal error: ValueError: two lines;"),
        (KeyboardInterrupt(), 130, "seqflow: interrupted"),
    ],
)
def test_an_error_is_one_line_and_its_code(
    seqflow: Seqflow, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    failing(monkeypatch, error)
    result = seqflow("check", "toy/sine")
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(line) and result.err.count("\n") == 1


def test_sigterm_ends_a_command_as_ctrl_c_does() -> None:
    code = (
        "import os, signal, seqflow.recipe\n"
        "seqflow.recipe.load = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "from seqflow_cli.main import run\n"
        "raise SystemExit(run(['check', 'toy/sine']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (130, "seqflow: interrupted\n")


def test_ctrl_c_while_modules_are_loaded_is_one_line() -> None:
    code = (
        "import sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "from seqflow_cli.main import run\n"
        "sys.meta_path.insert(0, Slow())\n"
        "raise SystemExit(run(['check', 'toy/sine']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "seqflow: interrupted\n")


def test_the_entry_loads_nothing_itself() -> None:
    code = "import sys; n = len(sys.modules); import seqflow_cli.main; print(len(sys.modules) - n)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert int(found.stdout) < 10


@pytest.mark.parametrize(("words", "code"), [(["check", "no/such"], 2), (["check", "toy/sine"], 0)])
def test_a_stderr_without_room_leaves_the_code_as_it_is(words: list[str], code: int) -> None:
    command = [sys.executable, "-m", "seqflow_cli", *words]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, timeout=60)
    assert ended.returncode == code


@pytest.mark.parametrize("words", [["--debug", "check", "toy/sine"], ["check", "toy/sine", "--debug"]])
def test_debug_adds_the_traceback(
    seqflow: Seqflow, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    failing(monkeypatch, KeyError("boom"))
    result = seqflow(*words)
    assert result.code == 1
    assert result.err.startswith("Traceback") and "in raise_it" in result.err


def test_a_file_may_be_called_debug(seqflow: Seqflow) -> None:
    result = seqflow("check", "--", "--debug")
    assert result.code == 2
    assert result.err.startswith("'--debug': no such file")


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    seqflow: Seqflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, InputError("a\n\x1b[31mb\udcff.wav", "empty", "nothing"))
    assert seqflow("check", "x").err == "a\\n\\x1b[31mb\\udcff.wav: empty: nothing\n"


def test_a_reader_that_goes_away_is_no_error(seqflow: Seqflow, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise console.ReaderGoneError

    monkeypatch.setattr(check.console, "pairs", closed)
    result = seqflow("check", "toy/sine")
    assert (result.code, result.err) == (141, "")


def test_every_code_is_in_the_docstring() -> None:
    text = " ".join((run.__doc__ or "").split())
    for code in (0, 1, 2, 3, 4, 5, 130, 141):
        assert f"{code} " in text
    assert ResourceError.exit_code == outcome.RESOURCE
