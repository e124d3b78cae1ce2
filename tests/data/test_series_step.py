"""The quantisation step, and the type that keeps the values."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.lattice import common_step, lattice_step
from seqflow.data.series import open_series
from seqflow.recipe.data import SeriesData

RNG = np.random.default_rng(11)


@settings(deadline=None, max_examples=100)
@given(
    codes=st.lists(st.integers(-2000, 2000), min_size=2, max_size=200),
    step=st.sampled_from([1.0, 2.0, 5.0, 1000.0, 0.5, 0.25, 0.1, 0.01, 0.005, 1e-5, 1e-9]),
    single=st.booleans(),
)
def test_decimal_lattices_are_found(codes: list[int], step: float, single: bool) -> None:
    values = np.array(codes) * step
    divisor = int(np.gcd.reduce(codes))
    found = lattice_step(values.astype(np.float32) if single else values)
    if divisor and not (single and _by_chance(codes, step)):
        assert found == pytest.approx(divisor * step, rel=1e-9)
    else:
        assert found is None


def _by_chance(codes: list[int], step: float) -> bool:
    """Whether there is one magnitude alone, which float32 rounds, and of so many digits that a number without
    a step would be as near to one of them with a probability of 1 in 1,000: then none may be claimed."""
    lone = {abs(code) for code in codes if code}
    if len(lone) != 1:
        return False
    value = Decimal(lone.pop()) * Decimal(str(step))
    digits = int(value.normalize().scaleb(max(0, -int(value.normalize().as_tuple().exponent))))
    rounded = float(np.float32(float(value))) != float(value)
    return rounded and 2.0 * digits * 1.2e-7 >= 1e-3


@pytest.mark.parametrize("value", [1e-9, 1e-12, 3e-10])
def test_a_lone_tiny_value_is_its_own_step(value: float) -> None:
    assert lattice_step(np.array([0.0, value])) == pytest.approx(value, rel=1e-9)


def test_one_magnitude_of_many_digits_is_no_lattice_in_float32() -> None:
    values = np.array([0.0, 6.385])
    assert lattice_step(values) == pytest.approx(6.385)
    assert lattice_step(values.astype(np.float32)) is None
    assert lattice_step(np.array([0.0, 6.385, 12.770], np.float32)) == pytest.approx(6.385)


@pytest.mark.parametrize("scale", [3.3 / 4096, 1 / 32768, 10 / 3, 3.1607e-6, 2.0866e-4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_codes_of_a_converter_times_a_scale(scale: float, dtype: Any) -> None:
    values = (RNG.integers(-3000, 3000, 20_000) * scale).astype(dtype)
    assert lattice_step(values) == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [3, 10, 100, 50_000])
def test_continuous_values_have_no_step(dtype: Any, n: int) -> None:
    for scale in (1e-6, 1.0, 1e6):
        assert lattice_step((scale * RNG.normal(size=n)).astype(dtype)) is None
        assert lattice_step((scale * RNG.random(n)).astype(dtype)) is None


def test_more_levels_than_float32_resolves_count_as_continuous() -> None:
    assert lattice_step(RNG.integers(-(2**23), 2**23, 5000).astype(np.float64)) is None
    assert lattice_step(RNG.integers(-(2**21), 2**21, 5000).astype(np.float64)) == 1.0


def test_sums_of_decimals_are_decimals_still() -> None:
    assert lattice_step(np.cumsum(RNG.integers(-3, 4, 5000) * 0.1)) == 0.1


def test_one_step_holds_for_all_channels() -> None:
    tenths, whole = RNG.integers(0, 99, 500) / 10, RNG.integers(0, 99, 500).astype(float)
    constant, smooth = np.full(500, np.pi), RNG.normal(size=500)
    holes = np.where(RNG.random(500) < 0.3, np.nan, whole)
    assert common_step([tenths, whole, constant]) == 0.1
    assert common_step([2 * tenths, 3 * tenths]) == pytest.approx(0.1)
    assert common_step([holes, constant]) == 1.0
    assert common_step([tenths, smooth]) is None
    assert common_step([constant, np.full(500, np.nan)]) is None
    # Lattices without a common one: the finest.
    assert common_step([np.sqrt(2) * whole, tenths]) == 0.1


def recording(folder: Path, rows: list[str], **keys: Any) -> Any:
    path = folder / "file.csv"
    path.write_text("\n".join(rows))
    return open_series(path, name="x", config=SeriesData(kind="series", root=".", window=16, **keys))[0]


def test_steps_of_recordings(tmp_path: Path) -> None:
    rows = ["a,b", *(f"{i % 7 / 100:.2f},{i % 3}" for i in range(50))]
    assert recording(tmp_path, rows).step == 0.01
    assert recording(tmp_path, rows, columns=["b"]).step == 1.0
    assert recording(tmp_path, rows, step=0.5).step == 0.5
    assert recording(tmp_path, rows, step=0.0).step is None
    np.save(tmp_path / "x.npy", RNG.integers(-9, 9, (300_000, 2)) * np.float32(0.005))
    config = SeriesData(kind="series", root=".", window=16)
    assert open_series(tmp_path / "x.npy", name="x", config=config)[0].step == pytest.approx(0.005)
    mono = config.model_copy(update={"channels": "mono"})
    assert open_series(tmp_path / "x.npy", name="x", config=mono)[0].step == pytest.approx(0.0025)


def test_values_keep_their_digits(tmp_path: Path) -> None:
    small = recording(tmp_path, ["a", *(f"{x:.3f}" for x in RNG.normal(size=50))])
    assert small.read(0, 50).values.dtype == np.float32
    large = recording(tmp_path, ["a", *(f"{1e9 + i % 5}" for i in range(50))])
    assert large.read(0, 50).values.dtype == np.float64
    assert large.read(0, 6).values.tolist() == [[1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4, 1e9]]
    codes = recording(tmp_path, ["a", *map(str, range(50))])
    assert codes.read(0, 50).values.dtype == np.float32
    huge = recording(tmp_path, ["a", "1e300", "2e300", "-1e300"])
    assert huge.read(0, 3).mask.all()
