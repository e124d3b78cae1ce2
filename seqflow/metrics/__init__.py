"""How good are anomaly scores? Plain functions on arrays: scores (T), the larger the more unusual, and labels
(T).

Areas under ROC and precision-recall curves, by points (`areas`) and over ranges with buffers (`vus`); alarms
as an operator meets them (`alarms`); bootstrap intervals over series (`bootstrap`), and of areas over
recordings (`roc_bootstrap`); published tables (`tables`), and the buffer window of a series that is in none
(`buffer`). Nothing here knows of a model.

F1 after point adjustment (PA-F1) is left out on purpose. It counts a whole event as found point by point once
a single one of its points is in alarm, so that noise with a few alarms anywhere comes near 1 on long events,
and the order of methods is mostly that of luck (Kim et al., "Towards a rigorous evaluation of time-series
anomaly detection", 2022). The recall of events is meaningful at a stated rate of false alarms, beside what
alarms at random would find: see `Detection`.
"""

from .alarms import Detection, count_alarms, detect, detect_at_rate, match_alarms
from .areas import pr_area, roc_area
from .bootstrap import Interval, bootstrap_mean, paired_bootstrap
from .buffer import estimate_window
from .roc_bootstrap import roc_area_draws
from .runs import runs
from .tables import read_published, read_windows
from .vus import Volume, range_areas, vus

__all__ = [
    "Detection",
    "Interval",
    "Volume",
    "bootstrap_mean",
    "count_alarms",
    "detect",
    "detect_at_rate",
    "estimate_window",
    "match_alarms",
    "paired_bootstrap",
    "pr_area",
    "range_areas",
    "read_published",
    "read_windows",
    "roc_area",
    "roc_area_draws",
    "runs",
    "vus",
]
