"""Couplings over the mixtures that `shapes` fits, kept where windows held back say that they help."""

from .couplings import Couplings
from .detector import FlowDetector
from .selection import Verdict, select

__all__ = ["Couplings", "FlowDetector", "Verdict", "select"]
