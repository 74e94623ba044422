"""Random words by address inside a kernel: the Philox4x64-10 of `certify.randomness`, bit by bit.

Reference: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import triton
import triton.language as tl

from models import noise

MULTIPLIER_A = tl.constexpr(noise.MULTIPLIERS[0])
MULTIPLIER_C = tl.constexpr(noise.MULTIPLIERS[1])
WEYL_LOW = tl.constexpr(noise.WEYL[0])
WEYL_HIGH = tl.constexpr(noise.WEYL[1])
ROUNDS = tl.constexpr(noise.ROUNDS)


@triton.jit
def words(block, sample, space: tl.constexpr, low, high, count: tl.constexpr):
    """The words of blocks `block`, `block` + 1, …, `count` blocks of four, in order, as uint64.

    The counter of a block is (block + 1, sample, space, 0). All but `space` and `count` are uint64
    scalars; `low` and `high` are the halves of the key.
    """
    a = block + tl.arange(0, count).to(tl.uint64) + 1
    none = a ^ a
    b, c, d = none + sample, none + space, none
    for _ in tl.static_range(ROUNDS):
        high_a, low_a = tl.umulhi(a, none + MULTIPLIER_A), a * MULTIPLIER_A
        high_c, low_c = tl.umulhi(c, none + MULTIPLIER_C), c * MULTIPLIER_C
        a, b, c, d = high_c ^ b ^ low, low_c, high_a ^ d ^ high, low_a
        low, high = low + WEYL_LOW, high + WEYL_HIGH
    # Joining puts two tensors side by side along a new last axis, so that pairs of pairs are
    # (a, b), (c, d) only if a was joined with c first.
    return tl.reshape(tl.join(tl.join(a, c), tl.join(b, d)), (4 * count,))
