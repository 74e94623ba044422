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


def words(key: int, sample: int, space: int, count: int) -> NDArray[np.uint64]:
    """The first `count` 64-bit words of address space `space` of sample `sample`.

    Word w is lane w mod 4 of the Philox4x64-10 block with counter (w // 4 + 1, sample, space, 0):
    numpy increments the counter before it generates.
    """
    # As an array: numpy passes a list with numbers of 2^63 and more through floats.
    counter = np.array([0, sample, space, 0], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def fresh_key() -> str:
    """A new key of 128 bits from the operating system, as 32 hexadecimal digits.

    A certificate's failure probability is over the key, so whoever may choose the picture must not
    know the key beforehand.
    """
    return secrets.token_hex(KEY_BITS // 8)
