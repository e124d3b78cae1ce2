"""How the children begin; what they need is loaded in them alone."""

from __future__ import annotations

from .child import Ready
from .limits import Limits


def scoring(file: str, device: str, limits: Limits) -> Ready:
    """A child that scores uploads, see `scorer.start`."""
    from .scorer import start

    return start(file, device, limits)


def streaming(file: str, device: str, limits: Limits) -> Ready:
    """A child that scores live streams, see `streams.start`."""
    from .streams import start

    return start(file, device, limits)
