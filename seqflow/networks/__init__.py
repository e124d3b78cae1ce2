"""Conditioners: networks that compute the parameters of a coupling. They know nothing of bijections."""

from .conv_net import ConvConditioner

__all__ = ["ConvConditioner"]
