"""What is printed where, with and without a terminal."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from seqflow_cli import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Thing:
    path: Path
    value: float
    many: tuple[int, ...]


def test_json_has_only_what_json_has(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_json({"a": Thing(Path("x/y"), math.nan, (1, 2)), "b": np.float32(0.5), "c": np.arange(2)})
    out = capsys.readouterr().out
    assert out.endswith("\n") and out.count("\n") == 1
    assert json.loads(out) == {
        "a": {"path": "x/y", "value": None, "many": [1, 2]},
        "b": 0.5,
        "c": [0, 1],
    }


def test_json_of_numbers_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_json([0.1, 1e-300, True, None, -math.inf])
    assert json.loads(capsys.readouterr().out) == [0.1, 1e-300, True, None, None]


def test_tables_line_up_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["name", "n"], [["[red]a", "1"], ["bb\n", "22"]], right=["n"])
    assert capsys.readouterr().out == "name     n\n[red]a   1\nbb\\n    22\n"


def test_wide_characters_take_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["name", "値"], [["ポンプ", "1"], ["ab", "2"], ["e\u0301", "3"]], right=["値"])
    assert capsys.readouterr().out == "name    値\nポンプ   1\nab       2\ne\u0301        3\n"
    console.pairs([("値", "1"), ("abc", "2")])
    assert capsys.readouterr().out == "値   1\nabc  2\n"


def test_tables_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["name", "n"], [])
    assert capsys.readouterr().out == "name  n\n"


def test_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    console.pairs([("a", "1"), ("long", "")])
    assert capsys.readouterr().out == "a     1\nlong\n"


def test_a_terminal_gets_rich_and_brackets_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console.table(["name"], [["[red]a"]])
    assert "[red]a" in screen.getvalue() and "\x1b[1m" in screen.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    console.fail("bad")
    console.table(["name"], [["a"]])
    assert "bad" in screen.getvalue() and "\x1b[3" not in screen.getvalue()


def test_errors_are_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console.fail("bad")
    assert screen.getvalue() == "\x1b[31mbad\x1b[0m\n"


def test_a_closed_pipe_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    with pytest.raises(console.ReaderGoneError):
        console.say("x")


def test_streams_that_lack_a_letter_show_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console.prepare()
    console.say("Ä")
    console.sys.stdout.flush()
    assert raw.getvalue() == b"\\xc4\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03"), (None, "-")]
)
def test_clock(seconds: float | None, text: str) -> None:
    assert console.clock(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.23456, "1.235"), (-2e30, "-2.000e+30"), (None, "-"), (math.nan, "-")]
)
def test_number(value: float | None, text: str) -> None:
    assert console.number(value) == text
