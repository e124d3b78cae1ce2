"""What several processes draw is what one draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import Raised, in_processes
from small import small_model

from seqflow.errors import ResourceError
from seqflow.jobs import sample
from seqflow.jobs.sample import Samples, write_samples
from seqflow.ranks import Ranks


def shared(ranks: Ranks, out: Path, options: dict[str, Any], blocked: bool = False) -> Samples:
    @contextmanager
    def joined(_: torch.device) -> Iterator[Ranks]:
        yield ranks

    sample.join = joined  # type: ignore[attr-defined]
    if blocked and ranks.rank == 1:
        out = out / "file" / "below"
    return write_samples(small_model(recordings=0), out, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_draws_its_share_of_the_same_files(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n": 11, "length": 100, "seed": 4, "temperature": 1.5}
    one, several = tmp_path / "one", tmp_path / "several"
    made = write_samples(small_model(recordings=0), one, **options)
    for found in in_processes(tmp_path / "group", 3, shared, several, options):
        assert isinstance(found, Samples), found
        # All know of all, in order; the figure shows the first eight.
        assert [path.name for path in found.paths] == [path.name for path in made.paths]
        same = replace(found, paths=made.paths, figure=made.figure)
        assert same == made
    assert names(several) == names(one) and len(made.paths) == 11
    for name in names(one):
        assert (several / name).read_bytes() == (one / name).read_bytes(), name


def test_fewer_sequences_than_processes_and_carried_on_ones(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n": 1, "length": 48, "seed": 4, "method": "continue"}
    made = write_samples(small_model(recordings=0), tmp_path / "one", **options)
    two = in_processes(tmp_path / "group", 2, shared, tmp_path / "two", options)
    assert [len(found.paths) for found in two] == [1, 1]
    from scipy.io import wavfile

    ours, theirs = (wavfile.read(path)[1] for path in (two[0].paths[0], made.paths[0]))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_place_that_one_cannot_write_to_is_told_by_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for found in in_processes(tmp_path / "group", 2, shared, tmp_path, {"n": 4, "length": 32}, True):
        assert isinstance(found, Raised) and found.kind is ResourceError
        assert "cannot be made" in found.text
