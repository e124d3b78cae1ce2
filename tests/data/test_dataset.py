"""Windows of recordings: which there are, what is in them, and that batches depend on seed and step alone."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from seqflow.data.dataset import Batch, Windows, count_windows
from seqflow.data.recording import ArrayRecording, Block, Recording
from seqflow.data.synthetic import make_recordings
from seqflow.errors import UsageError
from seqflow.recipe import AugmentConfig, SyntheticData

LENGTHS = st.lists(st.integers(0, 90), max_size=8)


def ramps(lengths: Sequence[int], channels: int = 1) -> list[Recording]:
    """Recordings whose samples tell where they are: 1000·recording + index."""
    return [
        ArrayRecording(np.tile(1000.0 * i + np.arange(n), (channels, 1)), name=str(i))
        for i, n in enumerate(lengths)
    ]


def same(one: Batch, other: Batch) -> bool:
    return all(
        torch.equal(getattr(one, key), getattr(other, key)) for key in ("x", "mask", "position", "step")
    )


def joined(batches: Sequence[Batch]) -> Batch:
    parts = [torch.cat([getattr(b, key) for b in batches]) for key in ("x", "mask", "position", "step")]
    return Batch(*parts)


@given(LENGTHS, st.integers(1, 30), st.data(), st.sampled_from(["skip", "pad"]))
def test_windows_cover_every_sample_and_stay_inside(
    lengths: list[int], window: int, data: st.DataObject, short: str
) -> None:
    hop = data.draw(st.integers(1, window))
    windows = Windows(ramps(lengths), window=window, hop=hop, short=short)
    which, starts = windows.locate(np.arange(len(windows)))
    assert len(windows) == count_windows(np.array(lengths, np.int64), window, hop, short).sum()
    seen = [np.zeros(n, bool) for n in lengths]
    for recording, start in zip(which, starts, strict=True):
        assert start >= 0
        assert start + window <= lengths[recording] or (start == 0 and short == "pad")
        seen[recording][start : start + window] = True
    for n, covered in zip(lengths, seen, strict=True):
        if n >= window or (short == "pad" and n):
            assert covered.all()
        else:
            assert not covered.any()
    # Every hop samples, and once more at the end: no window twice.
    assert len({*zip(which.tolist(), starts.tolist(), strict=True)}) == len(windows)


@given(LENGTHS, st.integers(1, 30), st.data(), st.integers(1, 9))
def test_in_order_hands_out_the_samples_themselves(
    lengths: list[int], window: int, data: st.DataObject, size: int
) -> None:
    hop = data.draw(st.integers(1, window))
    windows = Windows(ramps(lengths), window=window, hop=hop, short="pad")
    batches = list(windows.in_order(size))
    assert sum(map(len, batches)) == len(windows)
    assert all(len(batch) == size for batch in batches[:-1])
    at = 0
    for batch in batches:
        for x, mask, position in zip(batch.x, batch.mask, batch.position, strict=True):
            recording = int(windows.locate(np.array([at]))[0][0])
            n = min(window, lengths[recording])
            assert mask[:n].all() and not mask[n:].any() and not x[:, n:].any()
            assert x[0, :n].tolist() == [1000 * recording + int(position) + i for i in range(n)]
            at += 1


@given(LENGTHS, st.integers(0, 2**60), st.integers(1, 7), st.integers(0, 50))
def test_every_epoch_goes_through_all_windows_once(
    lengths: list[int], seed: int, size: int, epoch: int
) -> None:
    windows = Windows(ramps(lengths), window=10, hop=4, seed=seed)
    n = len(windows)
    assume(n >= size)
    first, last = epoch * n // size, -(-(epoch + 1) * n // size)
    items = torch.cat([windows.batch(step, size).x[:, 0, 0] for step in range(first, last)])
    skipped = epoch * n - first * size
    items = items[skipped : skipped + n].tolist()
    which, starts = windows.locate(np.arange(n))
    assert sorted(items) == sorted((1000 * which + starts).tolist())


def test_epochs_differ_and_so_do_seeds() -> None:
    firsts = set()
    for seed in range(3):
        windows = Windows(ramps([90, 90]), window=10, hop=5, seed=seed)
        for epoch in range(3):
            firsts.add(tuple(windows.batch(epoch, len(windows)).x[:, 0, 0].tolist()))
    assert len(firsts) == 9


@given(st.integers(0, 2**60), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_the_sequence_does_not_depend_on_the_batch_size(
    seed: int, one: int, other: int, cached: bool
) -> None:
    config = AugmentConfig(gain_db=(-3.0, 3.0), polarity=True, shift=5)
    windows = Windows(
        ramps([40, 7, 90], 2), window=12, hop=3, short="pad", augment=config, seed=seed, cache_mb=int(cached)
    )
    left = joined([windows.batch(step, one) for step in range(other)])
    right = joined([windows.batch(step, other) for step in reversed(range(one))][::-1])
    assert len(left) == one * other and same(left, right)


def test_a_cache_that_holds_only_some_recordings_changes_nothing() -> None:
    recordings = ramps([150_000, 150_000, 30, 150_000])
    small = Windows(recordings, window=16, hop=16, short="pad", seed=1, cache_mb=1)
    none = Windows(recordings, window=16, hop=16, short="pad", seed=1)
    for step in range(20):
        assert same(small.batch(step, 8), none.batch(step, 8))


def test_the_cache_saves_reading_and_keeps_to_its_limit() -> None:
    class Counted(ArrayRecording):
        reads = 0

        def read(self, start: int, frames: int) -> Block:
            Counted.reads += 1
            return super().read(start, frames)

    recordings = [Counted(np.arange(100_000.0), name=str(i)) for i in range(4)]
    windows = Windows(recordings, window=100, hop=100, cache_mb=1)
    for _ in range(3):
        list(windows.in_order(64))
    # 1 MiB holds two recordings of 500,000 bytes; windows of the other two are read one by one.
    assert Counted.reads == 2 + 3 * 2 * 1000


def test_missing_samples_are_masked_and_zero() -> None:
    values = np.ones((2, 40))
    values[0, 5], values[1, 7], values[1, 20:25] = np.nan, np.inf, -np.inf
    values[0, 30] = 1e300  # beyond float32
    windows = Windows([ArrayRecording(values)], window=40, hop=40)
    (batch,) = windows.in_order(4)
    missing = [5, 7, *range(20, 25), 30]
    assert np.flatnonzero(~batch.mask[0].numpy()).tolist() == missing
    assert batch.x[0, 0, 5] == 0 and batch.x[0, 1, 7] == 0 and batch.x[0, 0, 30] == 0
    assert batch.x[0, 1, 5] == 1  # the other channel is there
    assert torch.isfinite(batch.x).all()


def test_a_recording_that_ends_before_it_should_is_masked_at_its_end() -> None:
    class Cut(ArrayRecording):
        def read(self, start: int, frames: int) -> Block:
            return super().read(start, min(frames, max(0, 25 - start)))

    for cache_mb in (0, 1):
        windows = Windows([Cut(np.ones(40))], window=20, hop=20, cache_mb=cache_mb)
        (batch,) = windows.in_order(4)
        assert batch.mask.sum(dim=1).tolist() == [20, 5]
        assert batch.x.sum() == 25


def test_position_counts_from_the_start_of_the_whole_recording() -> None:
    whole = ArrayRecording(np.arange(100.0))
    windows = Windows([whole.part(30, 80), whole], window=20, hop=20, seed=2)
    for step in range(4):
        batch = windows.batch(step, 3)
        assert batch.position.dtype == torch.int64
        assert torch.equal(batch.x[:, 0, 0].long(), batch.position)


def test_gain_and_polarity_act_on_samples_and_gain_on_the_step() -> None:
    recording = ArrayRecording(np.arange(1.0, 65.0), step=0.5)
    plain = Windows([recording], window=8, hop=8, seed=9)
    config = AugmentConfig(gain_db=(-6.0, 6.0), polarity=True)
    changed = Windows([recording], window=8, hop=8, seed=9, augment=config)
    signs = set()
    for step in range(6):
        before, after = plain.batch(step, 8), changed.batch(step, 8)
        factor = (after.x / before.x)[:, 0]
        gain = factor[:, :1]
        assert torch.allclose(factor, gain.expand_as(factor), rtol=1e-6)
        assert torch.allclose(after.step, 0.5 * gain[:, 0].abs(), rtol=1e-6)
        assert (gain.abs() >= 10 ** (-6 / 20) - 1e-6).all() and (gain.abs() <= 10 ** (6 / 20) + 1e-6).all()
        signs |= set(torch.sign(gain).flatten().tolist())
        assert torch.equal(before.position, after.position)
    assert signs == {-1.0, 1.0}


def test_continuous_data_have_step_zero() -> None:
    windows = Windows([ArrayRecording(np.ones(9)), ArrayRecording(np.ones(9), step=0.25)], window=9, hop=9)
    (batch,) = windows.in_order(2)
    assert batch.step.dtype == torch.float32 and batch.step.tolist() == [0.0, 0.25]
    assert set(batch.context()) == {"position", "step", "span"}


def test_shifted_windows_stay_in_their_part_and_padded_ones_where_they_are() -> None:
    whole = ArrayRecording(np.arange(200.0))
    parts = [whole.part(50, 90), whole.part(100, 130), whole.part(150, 155)]
    windows = Windows(parts, window=20, hop=10, short="pad", augment=AugmentConfig(shift=15), seed=4)
    starts = set()
    for step in range(50):
        batch = windows.batch(step, 6)
        for x, mask, position in zip(batch.x, batch.mask, batch.position, strict=True):
            first, n = int(position), int(mask.sum())
            starts.add(first)
            assert (n == 20 and (50 <= first <= 70 or 100 <= first <= 110)) or (n == 5 and first == 150)
            assert x[0, :n].tolist() == list(range(first, first + n))
    assert len(starts) == 21 + 11 + 1


@given(LENGTHS, st.integers(1, 200), st.integers(1, 9))
def test_limited_order_is_evenly_spaced(lengths: list[int], limit: int, size: int) -> None:
    windows = Windows(ramps(lengths), window=5, hop=5)
    batches = list(windows.in_order(size, limit))
    count = min(limit, len(windows))
    assert sum(map(len, batches)) == count
    if count:
        items = joined(batches).x[:, 0, 0].tolist()
        which, starts = windows.locate(np.arange(len(windows)))
        places = [(1000 * which + starts).tolist().index(item) for item in items]
        assert places == sorted(set(places))
        gaps = np.diff([-1, *places, len(windows)])
        assert gaps.max() <= len(windows) // count + 2


def test_too_few_windows_for_a_batch() -> None:
    windows = Windows(ramps([30, 8]), window=10, hop=10)
    assert len(windows) == 3
    for call in (lambda: windows.batch(0, 4), lambda: windows.loader(0, 2, 4)):
        with pytest.raises(
            UsageError, match=r"train\.batch: .* 3 windows of 10 samples, fewer than a batch of 4"
        ):
            call()
    assert list(Windows([], window=4, hop=4).in_order(2)) == []


def test_recordings_of_other_channels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"1: has 2 channels, 0 has 1; .*data\.channels"):
        Windows([*ramps([9]), ArrayRecording(np.ones((2, 9)), name="1")], window=3, hop=3)


@pytest.mark.parametrize("hop", [0, 11])
def test_a_hop_that_leaves_samples_out_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match="hop"):
        Windows(ramps([30]), window=10, hop=hop)


def test_micro_batches() -> None:
    batch = Windows(ramps([90], 2), window=10, hop=10).batch(0, 8)
    parts = list(batch.split(3))
    assert [len(part) for part in parts] == [3, 3, 2]
    assert same(joined(parts), batch) and same(batch.to("cpu"), batch)
    with pytest.raises(ValueError, match="at least 1"):
        list(batch.split(0))


PROGRAM = """
from seqflow.data.dataset import Windows
from seqflow.data.synthetic import make_recordings
from seqflow.recipe import AugmentConfig, SyntheticData
import hashlib
data = SyntheticData(kind="synthetic", generator="sensor", recordings=3, seconds=4.0, window=32, seed=5)
config = AugmentConfig(gain_db=(-1.0, 2.0), polarity=True, shift=7)
windows = Windows(make_recordings(data), window=32, hop=8, augment=config, seed=77)
digest = hashlib.sha256()
for step in (5, 0, 900, 5):
    batch = windows.batch(step, 16)
    for tensor in (batch.x, batch.mask, batch.position, batch.step):
        digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


def test_other_processes_make_the_same_batches(capsys: pytest.CaptureFixture[str]) -> None:
    exec(PROGRAM, {})
    here = capsys.readouterr().out
    root = Path(__file__).parents[2]
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=root
    ).stdout
    assert here == there and len(here) == 65


def test_a_million_recordings_need_no_list_of_windows() -> None:
    one = make_recordings(
        SyntheticData(kind="synthetic", generator="sine", recordings=1, seconds=1.0, window=8)
    )

    class Many(list):
        def __len__(self) -> int:
            return 1_000_000

        def __getitem__(self, index: object) -> Recording:
            return one[0]

        def __iter__(self) -> Iterator[Recording]:
            return (one[0] for _ in range(1_000_000))

    windows = Windows(Many(), window=8, hop=4, seed=1)
    assert len(windows) == 249_000_000
    which, starts = windows.locate(np.array([0, 248, 249, 248_999_999]))
    assert which.tolist() == [0, 0, 1, 999_999] and starts.tolist() == [0, 992, 0, 992]
    assert len(windows.batch(10_000_000, 32)) == 32


def test_windows_know_where_in_their_recording_they_lie() -> None:
    windows = Windows([ArrayRecording(np.ones(16)), ArrayRecording(np.ones(8))], window=8, hop=4)
    (batch,) = windows.in_order(9)
    assert batch.span is not None
    assert batch.span.tolist() == [[0.0, 0.5], [0.25, 0.75], [0.5, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("size", [8, 7])
def test_shares_of_a_batch_make_the_whole(size: int) -> None:
    config = AugmentConfig(gain_db=(-3.0, 3.0), polarity=True, shift=3)
    windows = Windows(ramps([90, 70]), window=10, hop=4, augment=config, seed=5)
    whole = windows.batch(3, size)
    cuts = [0, 3, 3, size]
    shares = [range(begin, end) for begin, end in itertools.pairwise(cuts)]
    parts = Batch.join([windows.batch(3, size, share) for share in shares])
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, parts.tensors()[name]), name
    (loaded,) = windows.loader(3, 4, size, share=range(1, 3))
    assert torch.equal(loaded.x, whole.x[1:3])
    in_order = [list(windows.in_order(3, 11, share)) for share in (range(5), range(5, 11))]
    assert [len(batch) for part in in_order for batch in part] == [3, 2, 3, 3]
    joined = Batch.join([batch for part in in_order for batch in part])
    assert torch.equal(joined.x, Batch.join(list(windows.in_order(100, 11))).x)


def test_every_window_of_every_step_has_a_dither_of_its_own() -> None:
    windows = Windows(ramps([90]), window=10, hop=10, seed=5)
    found = [windows.batch(step, 8).dither for step in range(50)]
    starts = torch.cat([one for one in found if one is not None])
    assert len(starts) == 400 and len(set(starts.tolist())) == 400
    # No two streams of ten samples overlap, in all likelihood of 2^62.
    assert int(starts.sort().values.diff().min()) >= 10
    other = Windows(ramps([90]), window=10, hop=10, seed=6).batch(0, 8).dither
    assert other is not None and not set(other.tolist()) & set(starts.tolist())
    assert next(windows.in_order(4)).dither is None
