"""Sequences made from recordings: gaps filled, sequences carried on, two joined, one made more usual.

All of it comes from the exact density and the exact inverse of a flow; nothing here is trained.
"""

from .continuation import Continued, continue_sequences
from .gap import Inpainted, context_window, inpaint
from .joins import JoinExcess, join_excess
from .latent import morph, reconstruct

__all__ = [
    "Continued",
    "Inpainted",
    "JoinExcess",
    "context_window",
    "continue_sequences",
    "inpaint",
    "join_excess",
    "morph",
    "reconstruct",
]
