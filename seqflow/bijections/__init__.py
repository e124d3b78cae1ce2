"""Invertible layers. Every one meets the contract of `seqflow.bijections.base.Bijection`."""

from .actnorm import ActNorm
from .affine_coupling import AffineCoupling
from .base import Bijection, Context
from .causal_conv import CausalConv
from .chain import Chain
from .channel_mix import ChannelMix
from .circular_conv import CircularConv
from .conv_coupling import ConvCoupling
from .coupling import Coupling, coupling_sizes
from .dequantize import Dequantize
from .gate import Gate
from .inverse import Inverse
from .level_pyramid import LevelPyramid
from .multichannel_conv import MultichannelConv
from .multiscale import MultiScale
from .radial import Radial
from .spectral_pyramid import SpectralPyramid
from .spectrum import Spectrum
from .spline_coupling import SplineCoupling
from .squeeze import Squeeze
from .standardize import Standardize
from .symmetric_conv import SymmetricConv
from .whitening import Whitening

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Bijection",
    "CausalConv",
    "Chain",
    "ChannelMix",
    "CircularConv",
    "Context",
    "ConvCoupling",
    "Coupling",
    "Dequantize",
    "Gate",
    "Inverse",
    "LevelPyramid",
    "MultiScale",
    "MultichannelConv",
    "Radial",
    "SpectralPyramid",
    "Spectrum",
    "SplineCoupling",
    "Squeeze",
    "Standardize",
    "SymmetricConv",
    "Whitening",
    "coupling_sizes",
]
