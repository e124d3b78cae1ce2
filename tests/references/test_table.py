"""All references together: units, channels and what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from seqflow.references import Reference, fit_references


def material(channels: int = 1, length: int = 40) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    x = lfilter([1.0], [1.0, -0.8], rng.standard_normal((channels, 6000)))
    return [x[:, :3000], x[:, 3000:4500]], np.stack(np.split(x[:, -20 * length :], 20, axis=1))


def fitted(train: list[np.ndarray], test: np.ndarray, kind: str = "series") -> dict[str, Reference]:
    return {one.name: one for one in fit_references(train, test, kind=kind)}  # type: ignore[arg-type]


def test_names_and_orders() -> None:
    train, test = material()
    series, audio = (list(fitted(train, test, kind)) for kind in ("series", "audio"))
    assert "AR(8) Gaussian" in series and "mixture of 64 AR(8) x 24 gains" in series
    assert "AR(32) Student-t" in audio and "mixture of 64 AR(16) x 24 gains" in audio
    assert len(series) == len(audio) == 7


@given(st.sampled_from([1e-6, 1.0, 1e5]), st.sampled_from([0.0, 1e3]))
@settings(max_examples=4, deadline=None)
def test_units_of_series_do_not_matter(scale: float, level: float) -> None:
    train, test = material()
    before = fitted(train, test)
    after = fitted([scale * (r + level) for r in train], scale * (test + level))
    for name, one in before.items():
        assert one.nats is not None
        expected = one.nats + test.shape[2] * np.log(scale)
        found = after[name].nats
        assert found is not None
        # k-means may fall otherwise where rounding decides.
        loose = name.startswith("mixture") or name.endswith("Student-t")
        np.testing.assert_allclose(found.mean(), expected.mean(), rtol=0, atol=2.0 if loose else 1e-3)


def test_channels_are_apart_but_for_the_full_covariance() -> None:
    train, test = material(2)
    both = fitted(train, test)
    for name, one in both.items():
        single = [fitted([r[i : i + 1] for r in train], test[:, i : i + 1])[name] for i in (0, 1)]
        assert one.nats is not None and single[0].nats is not None and single[1].nats is not None
        if name == "full Gaussian":
            assert one.parameters > sum(part.parameters for part in single)
            continue
        np.testing.assert_allclose(one.nats, single[0].nats + single[1].nats, rtol=1e-9)
        assert one.parameters == sum(part.parameters for part in single)


def test_only_the_full_covariance_sees_one_channel_in_the_other() -> None:
    rng = np.random.default_rng(1)
    one = rng.standard_normal((1, 4000))
    x = np.concatenate((one, one + 0.01 * rng.standard_normal((1, 4000))))
    found = fitted([x[:, :3000]], np.stack(np.split(x[:, 3000:], 100, axis=1)))
    full, diagonal = found["full Gaussian"].nats, found["DCT Gaussian"].nats
    assert full is not None and diagonal is not None
    assert full.mean() < diagonal.mean() - 20.0


def test_what_cannot_be_fitted_says_why() -> None:
    train, test = material(length=40)
    found = fitted([train[0][:, :60]], test)["full Gaussian"]
    assert found.nats is None and "determine no covariance" in found.note


@pytest.mark.parametrize("kind", ["audio", "series"])
def test_a_constant_channel_has_no_density(kind: str) -> None:
    train, test = material(2)
    train = [np.stack((stretch[0], np.full(stretch.shape[1], 3.0))) for stretch in train]
    for one in fitted(train, test, kind).values():
        assert one.nats is None and one.note == "channel 2 is constant in the training data"
