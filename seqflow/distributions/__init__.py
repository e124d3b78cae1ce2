"""Densities of the noise. Every one meets `seqflow.distributions.base.Base`."""

from .base import Base
from .independent import Laplace, Mixture, Normal, StudentT
from .window_mixture import WindowMixture

__all__ = ["Base", "Laplace", "Mixture", "Normal", "StudentT", "WindowMixture"]
