"""Densities of the shapes in a series, fitted by k-means and a few rounds of EM: no training.

Windows of several lengths, one of them the period, each as a mixture of Gaussians with one covariance that
is diagonal in the cosine basis (symmetric convolutions that share their filter), over coefficients whose
level is left out and whose amplitude is softened. NumPy only.
"""

from .detector import ShapeDetector
from .period import find_period
from .shape import Shape
from .window_model import WindowModel

__all__ = ["Shape", "ShapeDetector", "WindowModel", "find_period"]
