"""The terms of a score beside the score that joins them."""

from __future__ import annotations

from typing import NamedTuple

from ..scoring import FileScore
from ..scoring.term import Likelihood
from ..scoring.terms import make_terms

JOINED = "score"
"""What the row of all terms together is called."""


class TermRow(NamedTuple):
    """One term of one recording.

    Attributes:
        term: its name; `score` for all of them joined.
        value: of the recording or its worst block.
        p_value: of the recording by that term alone.
        likelihood: whether the value is a normalised log-density, and of what.
    """

    term: str
    value: float | None
    p_value: float | None
    likelihood: Likelihood


def term_rows(score: FileScore) -> list[TermRow]:
    """The joined score first, then the terms in their order; nothing without a score."""
    if score.score is None:
        return []
    # The lengths of `local` have no part in what it is.
    made = make_terms(list(score.terms), (1,))
    return [
        TermRow(JOINED, score.score, score.p_value, "none"),
        *(
            TermRow(term.name, score.terms[term.name], score.term_p_values.get(term.name), term.likelihood)
            for term in made
        ),
    ]
