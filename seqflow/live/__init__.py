"""A stream of bytes becomes lines: windows and their scores, events, drift, faults of the input."""

from .monitor import Monitor, MonitorSettings
from .state_file import read_state, write_state

__all__ = ["Monitor", "MonitorSettings", "read_state", "write_state"]
