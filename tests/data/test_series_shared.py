"""Real files of the development data pack. Without SEQFLOW_SHARED there is nothing here to run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqflow.data.series import open_series
from seqflow.recipe.data import SeriesData

SHARED = os.environ.get("SEQFLOW_SHARED")
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "tsb_ad_u/001_NAB_id_1_Facility_tr_1007_1st_2014.csv",
        {"label": "Label", "time": None, "columns": ["Data"]},
        {"channels": 1, "length": 4031, "step": 0.002, "rate": None},
    ),
    (
        "tsb_ad_m/002_MSL_id_1_Sensor_tr_500_1st_900.csv",
        {"label": "Label", "time": None},
        {"channels": 55, "length": 1827, "rate": None},
    ),
    (
        "nab_raw/realAWSCloudwatch__ec2_network_in_257a54.csv",
        {"irregular": "mask"},
        {"channels": 1, "length": 4034, "rate": 1 / 300, "channel_names": ("value",)},
    ),
    (
        "nab_raw/realKnownCause__ec2_request_latency_system_failure.csv",
        {"irregular": "mask"},
        {"length": 4033, "status": "duplicate_times", "step": 0.002},
    ),
    ("ecg/100.npy", {}, {"channel_names": ("MLII", "V5"), "rate": 360.0, "length": 650_000, "step": 0.005}),
    ("ecg/v102s.npy", {"rate": 250.0}, {"channels": 4, "rate": 250.0, "length": 75_000}),
    ("vibration/cwru/normal_1797_first60pct.npy", {"channels": "first"}, {"channels": 1, "length": 146_362}),
]

if SHARED:

    @pytest.mark.shared
    @pytest.mark.parametrize(("file", "keys", "expected"), CASES, ids=[case[0] for case in CASES])
    def test_real_files(file: str, keys: dict[str, Any], expected: dict[str, Any]) -> None:
        config = SeriesData(kind="series", root=".", window=64, **keys)
        root = Path(str(SHARED))
        root = root / "data" if (root / "data").is_dir() else root
        (recording,) = open_series(root / file, name=file, config=config)
        assert {key: getattr(recording, key) for key in expected} == expected
        block = recording.read(0, recording.length)
        assert block.mask.mean() > 0.98
        assert np.isfinite(block.values).all()
        if config.label:
            labels = recording.labels()
            assert labels is not None
            assert 0 < labels.sum() < recording.length
