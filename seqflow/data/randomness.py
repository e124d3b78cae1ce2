"""Random numbers and orders addressed by index: no state, hence the same in any process and in any order.

Integer arithmetic on 64-bit words only, so results are equal to the bit on every machine.
Shapes: arrays (n,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
_Word = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = 8


def uniform(seed: int, stream: int, index: Index) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), one for each index (n,); every `stream` of a seed has numbers of its own."""
    words = _mix(index.astype(np.uint64) ^ _key(seed, stream))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def addresses(seed: int, stream: int, index: Index) -> Index:
    """Integers in [0, 2^62), one for each index (n,): where something that the index owns may begin."""
    words = _mix(index.astype(np.uint64) ^ _key(seed, stream))
    return (words >> np.uint64(2)).astype(np.int64)


def permuted(seed: int, epoch: Index, index: Index, n: int) -> Index:
    """Where each index (n,) of 0 .. n - 1 stands in the order of its epoch, a permutation for every epoch.

    A Feistel network over the smallest power of two that holds n, walked until the result lies below n
    (Black and Rogaway, 2002). Constant memory, where a table of 10^8 windows would take 800 MB a process.
    """
    if n < 2:
        return np.zeros_like(index)
    bits = max(2, (n - 1).bit_length())
    keys = _mix(epoch.astype(np.uint64) ^ _key(seed, 0))
    order = index.astype(np.uint64)
    pending = np.arange(len(order))
    while len(pending):
        order[pending] = _feistel(order[pending], keys[pending], bits)
        pending = pending[order[pending] >= n]
    return order.astype(np.int64)


def _feistel(word: _Word, key: _Word, bits: int) -> _Word:
    """One pass of the network, a bijection on words of `bits` bits."""
    low_bits = np.uint64(bits // 2)
    low_mask = np.uint64((1 << bits // 2) - 1)
    high_mask = np.uint64((1 << bits - bits // 2) - 1)
    low, high = word & low_mask, word >> low_bits
    for _ in range(_ROUNDS // 2):
        key = key + _GOLDEN
        low = low ^ (_mix(high ^ key) & low_mask)
        key = key + _GOLDEN
        high = high ^ (_mix(low ^ key) & high_mask)
    return high << low_bits | low


def _key(seed: int, stream: int) -> _Word:
    """(1,) key of a stream of a seed of any size."""
    words = [seed >> shift & 0xFFFFFFFFFFFFFFFF for shift in range(0, max(1, seed.bit_length()), 64)]
    key = np.zeros(1, np.uint64)
    for word in [*words, stream]:
        key = _mix(key ^ np.array([word], np.uint64))
    return key


def _mix(word: _Word) -> _Word:
    """The increment and finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    word = word + _GOLDEN
    word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return word ^ word >> np.uint64(31)
