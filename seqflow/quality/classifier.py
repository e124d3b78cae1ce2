"""A small classifier of the data's own classes: what it hears in generated sequences.

Shapes: log spectrograms (N, M, F) in dB, see `filter_bank`; labels (N,) numbers of classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

EMBEDDING = 32
_WIDTH, _BATCH, _EPOCHS, _MOST_STEPS = 48, 64, 24, 2400
_LEARNING_RATE, _DECAY = 3e-3, 1e-2


class Heard(NamedTuple):
    """Of N sequences: classes (N,), the probability of each class (N, K), and embeddings (N, 32)."""

    classes: Labels
    probabilities: Array
    embedding: Array


class Classifier(nn.Module):
    """Convolutions over frames, the mean and the largest over time, an embedding, a class.

    Args:
        filters: M.
        classes: K.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, filters: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(filters, 1))
        self.register_buffer("deviation", torch.ones(filters, 1))
        self.body = nn.Sequential(
            nn.Conv1d(filters, _WIDTH, 3, padding=1),
            nn.BatchNorm1d(_WIDTH),
            nn.ReLU(),
            nn.Conv1d(_WIDTH, _WIDTH, 3, padding=1),
            nn.BatchNorm1d(_WIDTH),
            nn.ReLU(),
        )
        self.embed = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * _WIDTH, EMBEDDING))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(EMBEDDING, classes))

    def embedding(self, levels: Tensor) -> Tensor:
        """(N, 32), before its rectifier."""
        hidden = self.body((levels - self.mean) / self.deviation)
        embedding: Tensor = self.embed(torch.cat([hidden.mean(dim=-1), hidden.amax(dim=-1)], dim=1))
        return embedding

    def forward(self, levels: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits: Tensor = self.head(self.embedding(levels))
        return logits

    @torch.no_grad()
    def hear(self, levels: Array) -> Heard:
        """What is in log spectrograms (N, M, F)."""
        self.eval()
        plain = _plain(levels)
        parts = [torch.from_numpy(plain[at : at + 512]) for at in range(0, len(plain), 512)]
        embedding = torch.cat([self.embedding(part) for part in parts])
        probabilities = torch.softmax(self.head(embedding), dim=1).numpy()
        return Heard(probabilities.argmax(axis=1), probabilities, embedding.numpy())


def train_classifier(levels: Array, labels: Labels, classes: int, seed: int = 0) -> Classifier:
    """Fit a classifier to log spectrograms (N, M, F) with labels (N,), 0 to classes - 1; on the CPU.

    Cross-entropy, AdamW with one cycle of the learning rate, 24 epochs but at most 2,400 steps of 64. A
    function of its arguments for a number of threads: the caller's random state is neither used nor changed.

    Raises ValueError where a class has no example.
    """
    present = np.bincount(labels, minlength=classes)
    if len(present) > classes or not present.all():
        raise ValueError("every class needs an example to learn it from")
    x, y = torch.from_numpy(_plain(levels)), torch.from_numpy(np.asarray(labels, np.int64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(x.shape[1], classes)
        model.mean.copy_(x.mean(dim=(0, 2))[:, None])
        model.deviation.copy_(x.std(dim=(0, 2), correction=0)[:, None].clamp_min(1e-3))
        per_epoch = -(-len(x) // _BATCH)
        steps = min(_EPOCHS * per_epoch, _MOST_STEPS)
        optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
        model.train()
        order = torch.randperm(len(x))
        for step in range(steps):
            if step and step % per_epoch == 0:
                order = torch.randperm(len(x))
            chosen = order[step % per_epoch :: per_epoch]
            if len(chosen) < 2:  # one alone has no deviation for the normalisation to learn
                chosen = order[:2]
            loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return model.eval()


def _plain(levels: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(levels, np.float32)
