"""Classical densities that flows are measured against: NumPy and SciPy, nothing of flows."""

from .fit import Fit, Unfit
from .table import ORDERS, Reference, fit_references

__all__ = ["ORDERS", "Fit", "Reference", "Unfit", "fit_references"]
