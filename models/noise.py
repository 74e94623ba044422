"""The noise of `certify.noise`, drawn on any device and bit for bit the same.

torch has no unsigned 64-bit arithmetic, so words are int64 that hold the same bits: addition,
multiplication and xor wrap alike, and only right shifts and comparisons need care.

Reference: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from certify.noise import LEFTOVER, Table

ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)  # added to the key after each round
HALF = 0xFFFFFFFF
WORD = 0xFFFFFFFFFFFFFFFF
SIGN = -(1 << 63)


class Drawer:
    """Draws from one table on one device."""

    def __init__(self, table: Table, device: torch.device) -> None:
        self.first = table.first
        self.slots = torch.from_numpy(table.slots.copy()).to(device)
        thresholds = torch.tensor([signed(int(t)) for t in table.residual], device=device)
        self.residual = thresholds ^ SIGN  # now signed order is unsigned order
        self.device = device

    def draw(self, key: int, samples: Sequence[int], entries: int) -> Tensor:
        """Return int16 noise (len(samples), entries), row by row equal to `certify.noise.draw`."""
        index = torch.tensor(list(samples), device=self.device).unsqueeze(1)
        blocks = torch.arange(1, -(-entries // 16) + 1, device=self.device).unsqueeze(0)
        words = torch.stack(philox(blocks, index, 0, key), dim=2)
        shifts = torch.tensor([0, 16, 32, 48], device=self.device)
        quarters = (words.unsqueeze(3) >> shifts) & 0xFFFF
        values = self.slots[quarters.reshape(len(samples), -1)[:, :entries]]
        row, entry = (values == LEFTOVER).nonzero(as_tuple=True)
        values[row, entry] = self._residual_values(key, index[row, 0], entry)
        return values

    def _residual_values(self, key: int, sample: Tensor, entry: Tensor) -> Tensor:
        block = torch.stack(philox(entry // 4 + 1, sample, 1, key), dim=1)
        word = block.gather(1, (entry % 4).unsqueeze(1)).squeeze(1)
        place = torch.searchsorted(self.residual, word ^ SIGN, right=True)
        return (self.first + place).to(torch.int16)


def philox(block: Tensor, sample: Tensor, space: int, key: int) -> tuple[Tensor, ...]:
    """Return the four words of Philox4x64-10 at counter (block, sample, space, 0), as int64 bits.

    `block` and `sample` are int64 and broadcast; `key` has 128 bits, low word first.
    """
    none = torch.zeros_like(block + sample)
    a, b, c, d = none + block, none + sample, none + space, none
    low, high = key & WORD, key >> 64
    for _ in range(ROUNDS):
        (high_a, low_a), (high_c, low_c) = (
            _multiply(a, MULTIPLIERS[0]),
            _multiply(c, MULTIPLIERS[1]),
        )
        a, b, c, d = high_c ^ b ^ signed(low), low_c, high_a ^ d ^ signed(high), low_a
        low, high = (low + WEYL[0]) & WORD, (high + WEYL[1]) & WORD
    return a, b, c, d


def _multiply(x: Tensor, constant: int) -> tuple[Tensor, Tensor]:
    """Return high and low 64 bits of the unsigned 128-bit product, by 32-bit halves."""
    x0, x1 = x & HALF, (x >> 32) & HALF
    c0, c1 = constant & HALF, constant >> 32
    low, mixed, other = x0 * c0, x1 * c0, x0 * c1
    # Three numbers below 2^32: no carry is lost.
    carry = ((low >> 32) & HALF) + (mixed & HALF) + (other & HALF)
    high = x1 * c1 + ((mixed >> 32) & HALF) + ((other >> 32) & HALF) + (carry >> 32)
    return high, x * signed(constant)


def signed(word: int) -> int:
    """Return the int64 with the bits of an unsigned 64-bit word."""
    return word - (1 << 64) if word >> 63 else word
