"""Anomaly scores from a flow, their calibration and their place in time."""

from .apart import Apart, judge_apart
from .calibrate import calibrate
from .calibration import Calibration
from .results import FileScore, read_scores, write_scores
from .series import OnSamples, score_recording

__all__ = [
    "Apart",
    "Calibration",
    "FileScore",
    "OnSamples",
    "calibrate",
    "judge_apart",
    "read_scores",
    "score_recording",
    "write_scores",
]
