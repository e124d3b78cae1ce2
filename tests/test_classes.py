"""Conditions as numbers, and what is said of values that are not known."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.classes import MOST_VALUES, Classes
from seqflow.errors import UsageError

DIGITS = Classes({"digit": ("0", "1", "7"), "speaker": ("ann", "bob")})


def test_they_are_the_sorted_values_that_were_found() -> None:
    found = Classes.of(["speaker", "digit"], [{"digit": "7", "speaker": "bob", "take": "1"}, {"digit": "0"}])
    assert found == Classes({"speaker": ("bob",), "digit": ("0", "7")})
    assert list(found.values) == ["speaker", "digit"]
    assert found and not Classes() and Classes.of([], [{"digit": "7"}]) == Classes()


def test_one_number_is_1_for_each_known_value() -> None:
    assert DIGITS.size == 5
    assert DIGITS.vector({"digit": "7", "speaker": "ann"}).tolist() == [0, 0, 1, 1, 0]
    assert DIGITS.vector({"speaker": "bob", "mood": "good"}).tolist() == [0, 0, 0, 0, 1]
    assert DIGITS.vector({"digit": "8"}).tolist() == [0] * 5
    assert DIGITS.vector({"digit": "0"}).dtype == np.float32
    assert DIGITS.one_hot(np.array([[1, -1], [-1, 0]])).tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    assert Classes().one_hot(np.empty((3, 0), np.int64)).shape == (3, 0)


def test_what_is_not_known_is_named() -> None:
    assert DIGITS.unknown({"digit": "0", "speaker": "ann"}) == []
    missing, strange = DIGITS.unknown({"speaker": "eve\n"})
    assert missing == "digit is not declared: taken for unknown"
    assert strange == r"speaker 'eve\\n' is not among the training data: taken for unknown"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"digit": "8"}, "condition digit: '8' is not among its values; there are 0, 1, 7"),
        ({"speaker": "bobb"}, "is not among its values; nearest 'bob'; there are ann, bob"),
        ({"digt": "7"}, "condition 'digt': is not known; nearest 'digit'; there are digit, speaker"),
    ],
)
def test_a_choice_must_be_one_of_them(condition: dict[str, str], message: str) -> None:
    DIGITS.check({"digit": "7"})
    DIGITS.check({})
    with pytest.raises(UsageError) as caught:
        DIGITS.check(condition)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_too_few_and_too_many_values() -> None:
    with pytest.raises(UsageError, match="the model takes none"):
        Classes().check({"digit": "7"})
    with pytest.raises(UsageError, match=r"data\.conditions\.digit: no training recording has a value"):
        Classes.of(["digit"], [{"speaker": "ann"}])
    with pytest.raises(UsageError, match="4097 values, the most is 4096"):
        Classes.of(["n"], [{"n": str(i)} for i in range(MOST_VALUES + 1)])
    with pytest.raises(UsageError, match="and 4076 more"):
        Classes.of(["n"], [{"n": str(i)} for i in range(MOST_VALUES)]).check({"n": "x"})
