"""Kafka's default partitioner over many keys at once.

Source: `org.apache.kafka.common.utils.Utils.murmur2`; the clients' partition of a key is
`toPositive(murmur2(key)) % partitions`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SEED = np.uint32(0x9747B28C)
_MULTIPLIER = np.uint32(0x5BD1E995)
_WORD = np.array([1, 1 << 8, 1 << 16, 1 << 24], dtype=np.uint32)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of one key among `partitions`."""
    return int(partitions_of([key], partitions)[0])


def partitions_of(keys: Sequence[bytes], partitions: int) -> npt.NDArray[np.int32]:
    """The partition of each key: int32, 0 ≤ partition < `partitions`, the same shape as `keys`."""
    positive = murmur2(keys) & np.uint32(0x7FFFFFFF)
    return (positive % np.uint32(partitions)).astype(np.int32)


def murmur2(keys: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """The 32-bit hash of each key as uint32 (Java shows the same bits as a signed int)."""
    count = len(keys)
    lengths = np.fromiter(map(len, keys), dtype=np.int64, count=count)
    starts = np.cumsum(lengths) - lengths
    # The padding lets the last word of the last key be read whole.
    octets = np.frombuffer(b"".join(keys) + b"\0\0\0\0", dtype=np.uint8)
    hashes = _SEED ^ lengths.astype(np.uint32)
    for word in range(int(lengths.max(initial=0)) // 4):
        longer = np.flatnonzero(lengths >= 4 * (word + 1))
        mixed = _scramble(_words(octets, starts[longer] + 4 * word))
        hashes[longer] = (hashes[longer] * _MULTIPLIER) ^ mixed
    return _avalanche(_mix_tail(hashes, octets, starts, lengths))


def _words(octets: npt.NDArray[np.uint8], at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """The little-endian words that begin at these octets."""
    words: npt.NDArray[np.uint32] = (octets[at[:, None] + np.arange(4)] * _WORD).sum(axis=1, dtype=np.uint32)
    return words


def _scramble(word: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    word = word * _MULTIPLIER
    return (word ^ (word >> np.uint32(24))) * _MULTIPLIER


def _mix_tail(
    hashes: npt.NDArray[np.uint32],
    octets: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint32]:
    """Mix in the one to three octets after the last whole word."""
    left = lengths % 4
    tailed = np.flatnonzero(left)
    words = _words(octets, starts[tailed] + lengths[tailed] - left[tailed])
    inside = (np.uint32(1) << (8 * left[tailed]).astype(np.uint32)) - np.uint32(1)
    hashes[tailed] = (hashes[tailed] ^ (words & inside)) * _MULTIPLIER
    return hashes


def _avalanche(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    hashes = (hashes ^ (hashes >> np.uint32(13))) * _MULTIPLIER
    return hashes ^ (hashes >> np.uint32(15))
