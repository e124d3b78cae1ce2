"""From a recipe to objects."""

from .base import build_base
from .conditioner import build_conditioner
from .flow import build_flow
from .layers import build_bijection

__all__ = ["build_base", "build_bijection", "build_conditioner", "build_flow"]
