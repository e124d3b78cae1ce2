"""What `seqflow benchmark tsb-ad` knows of one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import InputError, one_line

MEASURES = ("vus_pr", "vus_roc", "auc_pr", "auc_roc")
TITLES = {"vus_pr": "VUS-PR", "vus_roc": "VUS-ROC", "auc_pr": "AUC-PR", "auc_roc": "AUC-ROC"}
OK = "ok"


@dataclass(frozen=True)
class SeriesRow:
    """A series and how well its anomalies were found; without figures where `status` is not `ok`.

    Attributes:
        name: of the file.
        source: see `source_of`.
        status, detail: `ok`, or a reason code and a line on it.
        points, channels: T and C.
        train: points that the detector was fitted to; None for all.
        anomalous, events: points labelled as anomalous, and runs of them.
        group: see `group_of`.
        filled: missing values that were filled in.
        window: longest buffer window of the volumes under the surface.
        window_from: `table` or `autocorrelation`.
        seconds: of the detector, as the clock on the wall has it; `fit_seconds` and `score_seconds` as it
            says itself.
        measures: by track, the values of `MEASURES`.
        notes: what the detector says.
    """

    name: str
    source: str
    status: str = OK
    detail: str = ""
    points: int = 0
    channels: int = 0
    train: int | None = None
    anomalous: int = 0
    events: int = 0
    group: str = ""
    filled: int = 0
    window: int | None = None
    window_from: str = ""
    seconds: float = 0.0
    fit_seconds: float = 0.0
    score_seconds: float = 0.0
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether there are figures."""
        return self.status == OK

    def plain(self) -> dict[str, Any]:
        """The row in what JSON has; `SeriesRow(**row)` makes it again."""
        return asdict(self)

    @classmethod
    def failed(cls, name: str, source: str, error: InputError) -> SeriesRow:
        """The row of a series that has no figures for this reason."""
        return cls(name, source, error.code, one_line(error.detail))
