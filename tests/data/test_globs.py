"""Patterns of file names."""

from __future__ import annotations

import fnmatch
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.data.globs import Globs


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.wav", ["a.wav", ".wav", "-a.wav", "a\nb.wav"], ["d/a.wav", "a.WAV", "a.wav/b", "a.wavx"]),
        ("**/*.wav", ["a.wav", "d/a.wav", "d/e/f/a.wav"], ["a.flac", "d/a.wav/b"]),
        ("**", ["a", "a/b", "a/b/c"], []),
        ("d/**", ["d/a", "d/e/a"], ["d", "e/a", "dd/a"]),
        ("**/test/**", ["test/a", "x/test/a", "x/test/y/a"], ["test", "x/tests/a"]),
        ("**/*_[0-4].wav", ["7_a_3.wav", "x/7_a_0.wav"], ["7_a_5.wav", "7_a_33.wav"]),
        ("a?c/[!x]*", ["abc/y", "a.c/yy"], ["ac/y", "abc/x", "a/c/y"]),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/c", "a/b/x/y/c", "a/b/b/c"], ["a/c", "a/b", "b/c"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("./a//b", ["a/b"], ["a", "./a/b"]),
        ("[", ["["], ["x"]),
        ("[]]x", ["]x"], ["x"]),
        ("ü*/\udcff", ["über/\udcff"], ["u/x"]),
    ],
)
def test_names(pattern: str, yes: list[str], no: list[str]) -> None:
    globs = Globs([pattern])
    assert [name for name in yes if not globs.match(name)] == []
    assert [name for name in no if globs.match(name)] == []


def expected(pattern: list[str], parts: list[str]) -> bool:
    """The definition, word for word."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(parts)
        return any(expected(pattern[1:], parts[i:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and expected(pattern[1:], parts[1:])


@given(
    st.lists(st.sampled_from(["**", "*", "a", "b", "a*", "?", "*b", "[ab]", "[!a]"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "ab", "c", "abb"]), min_size=1, max_size=6),
)
def test_against_the_definition(pattern: list[str], parts: list[str]) -> None:
    assert Globs(["/".join(pattern)]).match("/".join(parts)) == expected(pattern, parts)


@given(
    st.lists(st.sampled_from(["*", "a", "b?", "[ab]*"]), min_size=1, max_size=4), st.text("ab/", max_size=9)
)
def test_without_double_stars_as_pathlib_matches(pattern: list[str], name: str) -> None:
    path = PurePosixPath("/root", name.strip("/"))
    if "//" in name or not name.strip("/"):
        return
    assert Globs(["/".join(pattern)]).match(name.strip("/")) == path.match("/root/" + "/".join(pattern))


def test_hostile_patterns_end_in_time() -> None:
    globs = Globs(["**/a/" * 200 + "b", "*a" * 50 + "b", "/".join(["**", "*"] * 100)])
    assert not globs.match("/".join(["a"] * 99))
    assert not globs.match("a" * 5000)


def test_case_and_emptiness() -> None:
    assert Globs(["*.wav"], ignore_case=True).match("A.WAV")
    assert not Globs([]) and not Globs([]).match("a")
