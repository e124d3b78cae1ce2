"""Likelihood models of raw waveforms and sensor sequences by 1-D invertible convolutional flows.

What most programs need is here by name, and is imported when it is first used (PEP 562): `import seqflow`
alone loads neither torch nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .flow import Flow
    from .jobs.calibrate import calibrate
    from .jobs.detect import detect
    from .jobs.explain import explain
    from .jobs.inpaint import inpaint
    from .jobs.latent import morph, reconstruct
    from .jobs.score import score
    from .model import Model
    from .recipe import Recipe
    from .recipe import load as load_recipe
    from .training import train

    load = Model.load

_PLACES = {
    "Flow": "flow:Flow",
    "Model": "model:Model",
    "Recipe": "recipe:Recipe",
    "calibrate": "jobs.calibrate:calibrate",
    "detect": "jobs.detect:detect",
    "explain": "jobs.explain:explain",
    "inpaint": "jobs.inpaint:inpaint",
    "load": "model:Model.load",
    "load_recipe": "recipe:load",
    "morph": "jobs.latent:morph",
    "reconstruct": "jobs.latent:reconstruct",
    "score": "jobs.score:score",
    "train": "training:train",
}

__all__ = [
    "Flow",
    "Model",
    "Recipe",
    "__version__",
    "calibrate",
    "detect",
    "explain",
    "inpaint",
    "load",
    "load_recipe",
    "morph",
    "reconstruct",
    "score",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _PLACES:
        module, _, attribute = _PLACES[name].partition(":")
        value = attrgetter(attribute)(import_module(f".{module}", __name__))
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("seqflow-audio")
    except PackageNotFoundError:
        # The source tree on the path, not installed: it has no version of its own.
        return "0+source"
