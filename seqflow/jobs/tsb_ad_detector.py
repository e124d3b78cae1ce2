"""The detector that `seqflow benchmark tsb-ad` runs, by the name of a recipe."""

from __future__ import annotations

from ..detector import Detect
from ..errors import UsageError


def find_detector(recipe: str | None) -> Detect:
    """The detector of a recipe; None: the one for any series.

    Raises UsageError: there is none so far.
    """
    raise UsageError(
        f"benchmark tsb-ad: {recipe or 'default'}: there is no such detector; call benchmark_tsb_ad with one"
    )
