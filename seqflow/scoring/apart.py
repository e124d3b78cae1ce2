"""A recording judged by all terms together, and by each term alone, in one pass through the flow.

Shapes: measures (B, K) of B windows and K terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..data.recording import Recording
from ..errors import UsageError
from ..flow import Flow
from ..recipe import ScoreConfig
from .calibration import Calibration, measures
from .judge import Judge, Judgement, Scorer
from .states import Verdict
from .stream import Stream


@dataclass(frozen=True)
class Apart:
    """Judgements of one recording.

    Attributes:
        verdict: its state.
        joined: by all terms: score and p-value are those of `score_recording`. None without a score.
        alone: by the name of each term, by that term alone; empty without a score.
    """

    verdict: Verdict
    joined: Judgement | None
    alone: Mapping[str, Judgement]


def judge_apart(flow: Flow, recording: Recording, config: ScoreConfig, calibration: Calibration) -> Apart:
    """Judge a recording by all terms and by each alone. Memory does not grow with its length.

    Raises what `score_recording` raises.
    """
    scorer = Scorer(config, calibration, None, flow.rate)
    compared = scorer.compared(recording.conditions)
    if compared is None:
        raise UsageError("score: the model has no calibration")
    chosen = compared.calibration
    joined = Judge(chosen, compared.tail)
    alone = [Judge(chosen.select([name])) for name in chosen.terms]
    stream = Stream(
        flow,
        recording,
        scorer.window,
        scorer.hop,
        batch=config.batch,
        silence_db=config.silence_db,
        background=scorer.background,
    )
    for _, batch in stream:
        features = {term.name: term.extract(batch).cpu().numpy() for term in scorer.terms}
        rows = measures(scorer.terms, features, scorer.statistics)
        joined.add(rows)
        for column, judge in enumerate(alone):
            judge.add(rows[:, column : column + 1])
    verdict = stream.verdict()
    if not verdict.scored:
        return Apart(verdict, None, {})
    found = {name: judge.judgement() for name, judge in zip(chosen.terms, alone, strict=True)}
    return Apart(verdict, joined.judgement(), found)
