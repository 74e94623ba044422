"""Random words by address: Philox4x64-10 exactly as numpy defines it.

Noise is a function of (key, sample, entry) and of nothing else: not of batch size, order, device
or restart. Anyone with numpy can recompute every word.

Reference: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

KEY_BITS = 128
KEY_DIGITS = KEY_BITS // 4
# Of Philox4x64; the reference's table 2. First row: words 0 and 1 of a block, second: 2 and 3.
ROUNDS = 10
MULTIPLIERS = np.array([[0xD2E7470EE14C6C93], [0xCA5A826395121157]], dtype=np.uint64)
WEYL = np.array([[0x9E3779B97F4A7C15], [0xBB67AE8584CAA73B]], dtype=np.uint64)
HALF, HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)


class Words:
    """The words of one key; for whoever needs those of many samples, one thread at a time.

    Making a generator of numpy's takes longer than the noise of a small picture. Each call sets the
    place of the one that is held here anew, so that nothing depends on the calls before.
    """

    def __init__(self, key: int) -> None:
        self.key = key
        self._generator = np.random.Philox(key=key, counter=0)
        self._start = self._generator.state

    def first(self, sample: int, space: int, count: int) -> NDArray[np.uint64]:
        """What `words` returns for this key."""
        self._start["state"]["counter"] = np.array([0, sample, space, 0], dtype=np.uint64)
        self._generator.state = self._start
        return self._generator.random_raw(count)


def words(key: int, sample: int, space: int, count: int) -> NDArray[np.uint64]:
    """The first `count` 64-bit words of address space `space` of sample `sample`.

    Word w is lane w mod 4 of the Philox4x64-10 block with counter (w // 4 + 1, sample, space, 0):
    numpy increments the counter before it generates.
    """
    # As an array: numpy passes a list with numbers of 2^63 and more through floats.
    counter = np.array([0, sample, space, 0], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def scattered(
    key: int, samples: NDArray[np.uint64], space: int, places: NDArray[np.intp]
) -> NDArray[np.uint64]:
    """Words here and there: of each sample the one at the place beside it, as `words` has it.

    By the ten rounds of its block, so that far apart they cost less than all words between.
    """
    even, odd = np.zeros((2, len(places)), np.uint64), np.zeros((2, len(places)), np.uint64)
    even[0], even[1], odd[0] = places // 4 + 1, space, samples
    keys = np.array([[key & (1 << 64) - 1], [key >> 64]], dtype=np.uint64)
    for _ in range(ROUNDS):
        high, low = _multiply(even)
        even, odd = high[::-1] ^ odd ^ keys, low[::-1]
        keys = keys + WEYL
    block = np.stack([even[0], odd[0], even[1], odd[1]])
    found: NDArray[np.uint64] = block[places % 4, np.arange(len(places))]
    return found


def _multiply(x: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """High and low 64 bits of each row times its multiplier, by halves of 32 bits."""
    few, many = MULTIPLIERS & HALF, MULTIPLIERS >> HALF_BITS
    below, above = x & HALF, x >> HALF_BITS
    mixed, other = above * few, below * many
    # Three numbers below 2^32: no carry is lost.
    carry = (below * few >> HALF_BITS) + (mixed & HALF) + (other & HALF)
    rest = (mixed >> HALF_BITS) + (other >> HALF_BITS) + (carry >> HALF_BITS)
    return above * many + rest, x * MULTIPLIERS


def fresh_key() -> str:
    """A new key of 128 bits from the operating system, as 32 hexadecimal digits.

    A certificate's failure probability is over the key, so whoever may choose the picture must not
    know the key beforehand.
    """
    return secrets.token_hex(KEY_BITS // 8)
