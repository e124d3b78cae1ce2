"""Which alarms a user asks for, in place of what the recipe says."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..errors import UsageError
from ..model import Model
from ..recipe import ScoreConfig
from ..scoring.compare import Comparisons
from ..scoring.rates import check_per_hour
from .model_head import ModelHead

TailChoice = Literal["conformal", "pareto"]


class Alarms(NamedTuple):
    """False alarms accepted: `rate`, a fraction of the units, or `per_hour`; and `tail`, where p-values end.

    None for what the recipe says.
    """

    rate: float | None = None
    per_hour: float | None = None
    tail: TailChoice | None = None

    def config(self, config: ScoreConfig) -> ScoreConfig:
        """The recipe's `score` part with these. Raises UsageError where they make no sense."""
        if self.rate is not None and self.per_hour is not None:
            raise UsageError(
                "alarms: --alarm-rate and --alarms-per-hour both say how many false ones are accepted; leave "
                "one out"
            )
        change: dict[str, object] = {}
        if self.rate is not None:
            if not 0.0 < self.rate < 1.0:
                raise UsageError(f"alarm rate: must lie between 0 and 1, got {self.rate:g}")
            change = {"alarm_rate": self.rate, "alarms_per_hour": None}
        if self.per_hour is not None:
            check_per_hour(self.per_hour)
            change = {"alarms_per_hour": self.per_hour}
        if self.tail is not None:
            if self.tail not in ("conformal", "pareto"):
                raise UsageError(f"tail: {self.tail!r:.20} is none; there are conformal and pareto")
            change["tail"] = "pareto" if self.tail == "pareto" else None
        return config.model_copy(update=change)


AS_THE_RECIPE_SAYS = Alarms()


def score_config(
    model: Model | ModelHead, alarms: Alarms = AS_THE_RECIPE_SAYS, onset: int | None = None
) -> ScoreConfig:
    """The recipe's `score` part with other alarms; `onset` windows of a stream in a row make an event.

    Raises UsageError where the model has no calibration, or one that cannot promise the rate.
    """
    config = alarms.config(model.recipe.score)
    if model.calibration is None:
        if alarms != AS_THE_RECIPE_SAYS:
            raise UsageError(
                "score: the model has no calibration, so it gives no alarms; leave the alarm rate out, or "
                "train a model with data.split.calibration above 0"
            )
        return config
    Comparisons(config, model.calibration, model.rate, onset)
    return config
