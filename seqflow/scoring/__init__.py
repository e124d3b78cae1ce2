"""Anomaly scores from a flow, their calibration and their place in time."""

from .apart import Apart, judge_apart
from .background import Background
from .calibrate import calibrate, calibrate_extracts
from .calibration import Calibration
from .extract import Extract, extract
from .judge import judge_extract
from .live import LiveSamples, LiveScorer, LiveScores, LiveWindow
from .results import FileScore, read_scores, write_scores
from .series import OnSamples, score_recording

__all__ = [
    "Apart",
    "Background",
    "Calibration",
    "Extract",
    "FileScore",
    "LiveSamples",
    "LiveScorer",
    "LiveScores",
    "LiveWindow",
    "OnSamples",
    "calibrate",
    "calibrate_extracts",
    "extract",
    "judge_apart",
    "judge_extract",
    "read_scores",
    "score_recording",
    "write_scores",
]
