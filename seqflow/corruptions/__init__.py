"""Normal recordings made abnormal at stated strengths, to see which changes a model finds."""

from .table import CORRUPTIONS, SHORTEST, Corruption, corrupt

__all__ = ["CORRUPTIONS", "SHORTEST", "Corruption", "corrupt"]
