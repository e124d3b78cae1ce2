"""Invertible layers. Every one meets the contract of `seqflow.bijections.base.Bijection`."""

from .actnorm import ActNorm
from .affine_coupling import AffineCoupling
from .base import Bijection, Context
from .chain import Chain
from .channel_mix import ChannelMix
from .coupling import Coupling, coupling_sizes
from .dequantize import Dequantize
from .inverse import Inverse
from .multiscale import MultiScale
from .spline_coupling import SplineCoupling
from .squeeze import Squeeze
from .standardize import Standardize

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Bijection",
    "Chain",
    "ChannelMix",
    "Context",
    "Coupling",
    "Dequantize",
    "Inverse",
    "MultiScale",
    "SplineCoupling",
    "Squeeze",
    "Standardize",
    "coupling_sizes",
]
