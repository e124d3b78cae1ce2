"""What was found unusual in a series, and how it is written down.

Shapes: a track (T,), shares (C, T).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..scoring.ranked import RankedInterval
from .interval_table import intervals_csv

RANKS = (
    "heights rank what is unusual within a series; they are no calibrated alarms, and even a sound series "
    "has a highest one. For a promised rate of false alarms: seqflow train, then seqflow score"
)


@dataclass(frozen=True)
class Detection:
    """What is unusual in one series.

    Attributes:
        name, path: of the series.
        status: "ok" or a reason code; `detail` says more. A series without scores has no events.
        samples: per channel.
        rate: Hz; None without a clock.
        channel_names: (C) of the channels that were looked at.
        normal: so many first samples were known to be normal; None: none.
        whole: whether all samples were fitted on too; always where none is known to be normal.
        filled: values that were missing, over all channels.
        periods: of each channel, samples; None where it has none, is a flag, or holds one value.
        windows: lengths of the windows of each channel, samples; () for a flag, or one value.
        flags: names of channels with no more than two values where they are fitted, which have no part in
            `fused`.
        couplings: of each channel, for each of its windows, what became of the couplings that were trained,
            see `shape_flow.Verdict`; () where none were asked for.
        kinds: of each track, whether it is a likelihood, and of what.
        usual: median of the fused score.
        normal_height: highest fused score among the samples known to be normal; None without such.
        events: the most unusual intervals, the highest first.
        scores: (T,), a record a sample with a float32 field for each track, `fused` first; NaN where a sample
            is missing. None without scores.
        shares: (C, T) float32, what each channel adds to `fused`, NaN where its sample is missing.
    """

    name: str
    path: str
    status: str
    detail: str = ""
    samples: int = 0
    rate: float | None = None
    channel_names: tuple[str, ...] = ()
    normal: int | None = None
    whole: bool = True
    filled: int = 0
    periods: tuple[int | None, ...] = ()
    windows: tuple[tuple[int, ...], ...] = ()
    flags: tuple[str, ...] = ()
    couplings: tuple[Sequence[Mapping[str, Any]], ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    usual: float | None = None
    normal_height: float | None = None
    events: tuple[RankedInterval, ...] = ()
    scores: NDArray[np.void] | None = None
    shares: NDArray[np.float32] | None = None

    @property
    def scored(self) -> bool:
        """Whether the series could be scored."""
        return self.scores is not None

    @property
    def fitted(self) -> str:
        """What it was fitted on, in words."""
        if self.normal is None:
            return "fitted on all samples; none is known to be normal"
        known = f"the first {self.normal} samples, known to be normal"
        return f"fitted on {known}, and on all" if self.whole else f"fitted on {known}, alone"

    @classmethod
    def failed(cls, name: str, error: InputError) -> Detection:
        """Of a series that cannot be read, or not be scored: its reason code."""
        return cls(name=name, path=error.path, status=error.code, detail=error.detail)

    def row(self) -> dict[str, Any]:
        """All but the arrays, in what JSON has."""
        parts = {
            key: getattr(self, key) for key in self.__dataclass_fields__ if key not in ("scores", "shares")
        }
        listed = {"events": [asdict(event) for event in self.events]}
        return {**parts, "fitted": self.fitted if self.scored else None, **listed}


def exit_code(found: Sequence[Detection]) -> int:
    """0 where all series have scores, 4 where none has, else 3."""
    scored = sum(one.scored for one in found)
    return 0 if scored == len(found) else 3 if scored else 4


def facts(one: Detection) -> list[str]:
    """Lines on how a series was looked at: period, windows, flags, what was missing, and its state."""
    lines = []
    if one.scored:
        missing = f"; {one.filled} missing values filled in" if one.filled else ""
        lines.append(f"{one.samples} samples, {one.fitted}; {_lengths(one)}{missing}")
        if one.normal_height is not None:
            lines.append(f"highest among the samples known to be normal: {one.normal_height:.2f}")
        lines += _couplings(one)
        if one.flags:
            names = ", ".join(one.flags[:8]) + (
                f" and {len(one.flags) - 8} more" if len(one.flags) > 8 else ""
            )
            lines.append(f"no more than two values, not in the score: {names}")
    if one.detail:
        # Of several states the detail names each itself.
        named = one.detail.startswith(f"{one.status}: ") or one.status == "ok"
        lines.append(one.detail if named else f"{one.status}: {one.detail}")
    return lines


def _couplings(one: Detection) -> list[str]:
    """A line for each channel on what was trained, and kept."""
    lines = []
    for name, verdicts in zip(one.channel_names, one.couplings, strict=bool(one.couplings)):
        parts = []
        for verdict in verdicts:
            kept = f"kept ({verdict.get('gain_reported', 0.0):+.3f} nats per sample on windows held back)"
            parts.append(
                f"{verdict['length']} {kept if verdict['outcome'] == 'kept' else verdict['outcome']}"
            )
        if parts:
            channel = f" of {name}" if len(one.channel_names) > 1 else ""
            lines.append(f"couplings{channel} by window: {', '.join(parts)}")
    return lines


def to_csv(found: Sequence[Detection]) -> str:
    """A row for each event of all series; what a spreadsheet would take for a formula is guarded."""
    return intervals_csv((one.name, one.path, one.events) for one in found)


def to_json(found: Sequence[Detection]) -> str:
    """Everything but the arrays."""
    document = {"note": RANKS, "series": [one.row() for one in found]}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _lengths(one: Detection) -> str:
    """Period and windows of a channel; of several how they lie."""
    plain = [lengths for lengths in one.windows if lengths]
    known = [period for period in one.periods if period is not None]
    if len(plain) == 1:
        period = f"period {known[0]}" if known else "no period"
        return f"{period}; windows of {', '.join(map(str, sorted(plain[0])))} samples"
    period = "no periods"
    if known:
        lags = str(min(known)) + (f" to {max(known)}" if max(known) > min(known) else "")
        period = f"period {lags} in {len(known)} of {len(plain)} channels"
    longest = [max(lengths) for lengths in plain]
    return f"{period}; windows of up to {max(longest)} samples"
