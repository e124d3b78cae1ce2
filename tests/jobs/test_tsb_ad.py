"""Names, labels and settings in the benchmark on TSB-AD."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quick_detector
from quick_detector import Deviation

from seqflow.detector import Detected
from seqflow.errors import InputError, UsageError
from seqflow.jobs.tsb_ad_series import group_of, read_series, source_of, spread, train_of
from seqflow.jobs.tsb_ad_settings import key_of, settings_of


@pytest.mark.parametrize(
    ("name", "source", "train"),
    [
        ("001_NAB_id_1_Facility_tr_1007_1st_2014.csv", "NAB", 1007),
        ("841_Exathlon_id_32_Facility_tr_11663_1st_13482.csv", "Exathlon", 11663),
        ("7_A-B_tr_5.csv", "A-B", 5),
        ("pump_tr_20_x.csv", "", 20),
    ],
)
def test_names(name: str, source: str, train: int) -> None:
    assert (source_of(name), train_of(Path("some_tr_3_folder", name))) == (source, train)


@pytest.mark.parametrize("name", ["1_NAB.csv", "1_NAB_tr_0_x.csv", "1_NAB_tr_x.csv", "1_NAB_str_9_.csv"])
def test_names_without_a_prefix(name: str) -> None:
    with pytest.raises(InputError, match="no_prefix"):
        train_of(Path(name))


def test_the_label_is_no_channel_and_gaps_are_filled(tmp_path: Path) -> None:
    path = tmp_path / "1_X_tr_2_.csv"
    path.write_text("0,1,Label\n,1,0\n2.5,1e9,0\n,3,1\n4.5,,1\n5.5,7,0\n")
    series = read_series(path)
    assert series.values.tolist() == [[2.5, 2.5, 3.5, 4.5, 5.5], [1.0, 1e9, 3.0, 5.0, 7.0]]
    assert series.labels.tolist() == [False, False, True, True, False]
    assert series.filled == 3


def test_groups_are_of_labels_and_lengths() -> None:
    labels = np.zeros(17, bool)
    labels[3] = True
    other = np.roll(labels, 1)
    assert group_of(labels) == group_of(labels.copy())
    assert len({group_of(one) for one in (labels, other, np.append(labels, False), labels[:-1])}) == 4


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_a_limit_spreads_over_all(count: int) -> None:
    names = [str(i) for i in range(50)]
    taken = spread(names, count)
    assert len(set(taken)) == count and taken == sorted(taken, key=int)
    places = np.array([int(one) for one in taken])
    assert np.abs(places - (np.arange(count) + 0.5) * 50 / count).max() <= 1.0
    assert spread(names, None) == spread(names, 99) == names


def test_settings_decide_on_the_key() -> None:
    one, two = Deviation(), Deviation(2.0)
    assert settings_of(one) == {"detector": "quick_detector.Deviation", "scale": 1.0}
    assert settings_of(quick_detector.plain_function) == {"detector": "quick_detector.plain_function"}
    keys = {
        key_of(detect, settings_of(detect), protocol)
        for detect in (one, Deviation(1.0), two, quick_detector.plain_function)
        for protocol in ("prefix", "whole")
    }
    assert len(keys) == 6


def test_the_source_of_a_detector_decides_on_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(Deviation())
    before = key_of(Deviation(), settings, "prefix")
    changed = tmp_path / "quick_detector.py"
    changed.write_text(Path(quick_detector.__file__).read_text() + "\n")
    monkeypatch.setattr("inspect.getsourcefile", lambda _: str(changed))
    assert key_of(Deviation(), settings, "prefix") != before


def local() -> Any:
    @dataclass(frozen=True)
    class Hidden:
        def __call__(self, values: Any, train: int | None, /) -> Detected: ...

    return Hidden()


@dataclass(frozen=True)
class Odd:
    setting: object

    def __call__(self, values: Any, train: int | None, /) -> Detected: ...


@pytest.mark.parametrize(
    "detect",
    [lambda values, train: None, local(), partial(quick_detector.plain_function), Odd(object()), Odd(np.nan)],
    ids=["lambda", "local", "partial", "no value", "nan"],
)
def test_detectors_that_no_process_can_find(detect: Any) -> None:
    with pytest.raises(UsageError, match="detect: "):
        settings_of(detect)
