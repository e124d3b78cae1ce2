"""Anomaly scores from a flow, their calibration and their place in time."""
