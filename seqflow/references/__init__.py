"""Classical densities and a codec that flows are measured against: NumPy and SciPy, nothing of flows."""

from .codec import flac_bits, pcm_depth
from .fit import Fit, Unfit
from .table import ORDERS, Reference, fit_references

__all__ = ["ORDERS", "Fit", "Reference", "Unfit", "fit_references", "flac_bits", "pcm_depth"]
