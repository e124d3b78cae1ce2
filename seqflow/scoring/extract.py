"""What one pass of the flow leaves of a recording: enough to calibrate on it, and to judge it, at no cost.

Shapes: n windows; features (n, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..data.recording import Recording
from ..flow import Flow
from ..recipe import ScoreConfig
from .background import Background
from .calibration import Features
from .stream import BLOCK, Stream
from .term import Array
from .terms import make_terms


@dataclass(frozen=True)
class Extract:
    """A recording as terms see it, before anything is learned from normal ones.

    Attributes:
        name, path: of the recording.
        status, detail: its state, see `states`.
        starts: (n,) first samples of its windows; none for a recording without a score.
        features: raw features (n, D) by the term's name; none for a recording without a score.
        conditions: what is declared about it.
    """

    name: str
    path: str
    status: str
    detail: str
    starts: Array = field(default_factory=lambda: np.empty(0))
    features: Features = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def scored(self) -> bool:
        """Whether there is anything to calibrate on, or to judge."""
        return len(self.starts) > 0

    def part(self, begin: int, end: int) -> Extract:
        """The windows begin .. end - 1 as an extract of their own."""
        features = {name: values[begin:end] for name, values in self.features.items()}
        return Extract(
            self.name, self.path, self.status, self.detail, self.starts[begin:end], features, self.conditions
        )


def resolve_hop(config: ScoreConfig, window: int) -> int:
    """Distance between windows, samples: the recipe's, or half a window."""
    return config.hop if config.hop is not None else max(1, window // 2)


def extract(
    flow: Flow,
    recording: Recording,
    config: ScoreConfig,
    *,
    window: int,
    background: Background | None = None,
    block: int = BLOCK,
) -> Extract:
    """Take a recording through the flow once, read block by block of so many samples.

    Windows of `window` samples, with the recipe's hop and terms, of which `ratio` needs a background. Memory
    grows with the number of windows, by some hundred bytes each. Raises what `Stream` raises.
    """
    hop = resolve_hop(config, window)
    terms = make_terms(config.terms, config.smoothing)
    stream = Stream(
        flow,
        recording,
        window,
        hop,
        batch=config.batch,
        silence_db=config.silence_db,
        block=block,
        background=background,
    )
    starts: list[int] = []
    parts: dict[str, list[Array]] = {term.name: [] for term in terms}
    for begun, batch in stream:
        starts += begun
        for term in terms:
            parts[term.name].append(term.extract(batch).cpu().numpy())
    verdict = stream.verdict()
    if not verdict.scored or not starts:
        return Extract(recording.name, recording.path, verdict.status, verdict.detail)
    return Extract(
        recording.name,
        recording.path,
        verdict.status,
        verdict.detail,
        np.array(starts, dtype=np.float64),
        {name: np.concatenate(found) for name, found in parts.items()},
        dict(recording.conditions),
    )
