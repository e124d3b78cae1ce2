"""Why a recording is unusual: the nearest normal sequence, shares of channels, a map of surprise."""

from .channels import channel_shares
from .material import Material, material
from .nearest import Nearest, nearest_normal
from .surprise import SurpriseMap, surprise_map

__all__ = [
    "Material",
    "Nearest",
    "SurpriseMap",
    "channel_shares",
    "material",
    "nearest_normal",
    "surprise_map",
]
