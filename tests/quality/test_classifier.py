"""A classifier that hears what can be heard, is the same for the same seed, and disturbs nobody."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqflow.quality.classifier import train_classifier


def rising(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectrograms in which the energy rises, falls, or stays: classes that no single frame tells."""
    labels = np.arange(n) % 3
    place = (
        np.linspace(0, 11, 9)[None] * np.array([0, 1, -1])[labels][:, None]
        + np.array([5, 0, 11])[labels][:, None]
    )
    levels = -20.0 * np.abs(np.arange(12)[None, :, None] - place[:, None]) / 4
    return levels + 2.0 * rng.standard_normal((n, 12, 9)), labels


def test_classes_are_heard_in_new_examples(rng: np.random.Generator) -> None:
    model = train_classifier(*rising(rng, 300), classes=3)
    levels, labels = rising(rng, 90)
    heard = model.hear(levels)
    assert (heard.classes == labels).mean() > 0.95
    assert heard.embedding.shape == (90, 32) and heard.probabilities.shape == (90, 3)
    assert np.allclose(heard.probabilities.sum(axis=1), 1.0, atol=1e-5)
    # One alone is heard as in a crowd.
    assert np.allclose(model.hear(levels[:1]).embedding, heard.embedding[:1], atol=1e-4)


def test_labels_of_chance_are_not_learned(rng: np.random.Generator) -> None:
    levels, _ = rising(rng, 200)
    model = train_classifier(levels, rng.integers(0, 2, 200), classes=2)
    new, _ = rising(rng, 200)
    assert (model.hear(new).classes == rng.integers(0, 2, 200)).mean() < 0.7


def test_the_same_again_and_the_random_state_kept(rng: np.random.Generator) -> None:
    levels, labels = rising(rng, 65)
    before = torch.random.get_rng_state()
    one, other = (train_classifier(levels, labels, 3, seed=4).hear(levels).embedding for _ in range(2))
    assert np.array_equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not np.array_equal(one, train_classifier(levels, labels, 3, seed=5).hear(levels).embedding)


def test_a_class_without_an_example() -> None:
    for labels in ([0, 2], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match="needs an example"):
            train_classifier(np.zeros((len(labels), 4, 3)), np.array(labels), 3)
