"""Anomaly scores from a flow, their calibration and their place in time."""

from .calibrate import calibrate
from .calibration import Calibration
from .results import FileScore, read_scores, write_scores
from .series import OnSamples, score_recording

__all__ = [
    "Calibration",
    "FileScore",
    "OnSamples",
    "calibrate",
    "read_scores",
    "score_recording",
    "write_scores",
]
