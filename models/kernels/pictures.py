"""One kernel from addresses to the network's input: words, table, picture, normalisation, rounding.

What it writes is bit for bit `Network.normalised` of picture plus `certify.noise.draw`: integers up
to the noisy picture, then the two float32 operations of torch in torch's order, a subtraction and
an IEEE division. Nothing is multiplied, so there is nothing to contract into a fused operation.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from certify.noise import LEFTOVER, SLOTS
from models.kernels.launches import FIELDS, Laws, Pictures
from models.kernels.words import words

MOST_ROWS = 128  # blocks of four words to a program, one for each thread; a block is 16 entries
# Of a binary search: values are int16, so a law has fewer than 2^16 thresholds.
STEPS, FARTHEST = tl.constexpr(16), tl.constexpr(1 << 15)
LANE_FIELDS = tl.constexpr(FIELDS)
ALL_SLOTS = tl.constexpr(SLOTS)
LEFT = tl.constexpr(LEFTOVER)


def write(into: Tensor, lanes: Tensor, pictures: Pictures, laws: Laws) -> None:
    """Write the input of one pass, (n, channels, height, width) in channels-last memory.

    Lane i becomes noisy as row i of `lanes` says, (n, FIELDS) int64 on the device of everything
    else (`models.kernels.launches.told`). `into` is float32, float16 or bfloat16.
    Raises ValueError where `into` is laid out otherwise or of another size.
    """
    if into.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError(f"into is {into.dtype}; it must be float32, float16 or bfloat16")
    if not into.is_contiguous(memory_format=torch.channels_last):
        raise ValueError(f"into has strides {into.stride()}; it must lie channels-last")
    entries = pictures.values.shape[1]
    if into[0].numel() != entries or lanes.shape != (len(into), FIELDS):
        rule = f"have {entries} entries a lane, and lanes be ({len(into)}, {FIELDS})"
        raise ValueError(f"into is {tuple(into.shape)}, lanes {tuple(lanes.shape)}; it must {rule}")
    short = into.dtype == torch.bfloat16
    rows = min(MOST_ROWS, triton.next_power_of_2(triton.cdiv(entries, 16)))
    _write[(triton.cdiv(entries, 16 * rows), len(into))](
        into.view(torch.int16) if short else into,
        lanes,
        pictures.values,
        pictures.mean,
        pictures.std,
        laws.slots,
        laws.residual,
        laws.spans,
        entries,
        laws.residual.shape[1],
        channels=into.shape[1],
        rows=rows,
        short=short,
    )


@triton.jit
def _write(
    into,
    lanes,
    values,
    mean,
    std,
    slots,
    residual,
    spans,
    entries,
    longest,
    channels: tl.constexpr,
    rows: tl.constexpr,
    short: tl.constexpr,
):
    lane = tl.program_id(1)
    low, high, sample, picture, law = _lane(lanes + lane * LANE_FIELDS)
    first = tl.program_id(0) * rows
    entry = first * 16 + tl.arange(0, 16 * rows)
    inside = entry < entries
    drawn = _drawn(first, inside, sample, low, high, slots + law * ALL_SLOTS, rows)
    left = drawn == LEFT
    full = words((4 * first).to(tl.uint64), sample, 1, low, high, 4 * rows)
    rare = _searched(full, left, residual + law * longest, spans + 2 * law)
    pixel = tl.load(values + picture * entries + entry, mask=inside, other=0).to(tl.int32)
    grey = (pixel + tl.where(left, rare, drawn)).to(tl.float32)
    channel = entry % channels
    # A plain / would be off by up to 2 units of the last place.
    plain = tl.div_rn(grey - tl.load(mean + channel), tl.load(std + channel))
    tl.store(into + lane.to(tl.int64) * entries + entry, _rounded(plain, short), mask=inside)


@triton.jit
def _lane(fields):
    """Key's low and high word, sample, picture and law of one lane."""
    low = tl.load(fields).to(tl.uint64, bitcast=True)
    high = tl.load(fields + 1).to(tl.uint64, bitcast=True)
    sample = tl.load(fields + 2).to(tl.uint64, bitcast=True)
    return low, high, sample, tl.load(fields + 3), tl.load(fields + 4)


@triton.jit
def _drawn(first, inside, sample, low, high, slots, rows: tl.constexpr):
    """What 16 bits say of each entry: a value or LEFTOVER."""
    four = words(first.to(tl.uint64), sample, 0, low, high, rows)
    shifts = (16 * tl.arange(0, 4)).to(tl.uint64)
    quarters = tl.reshape((four[:, None] >> shifts[None, :]) & 0xFFFF, (16 * rows,))
    return tl.load(slots + quarters.to(tl.int64), mask=inside, other=0).to(tl.int32)


@triton.jit
def _searched(full, left, residual, span):
    """first + #{thresholds ≤ word} for each leftover entry."""
    start = tl.load(span).to(tl.int32)
    count = tl.load(span + 1).to(tl.int32)
    place = tl.full(full.shape, 0, tl.int32)
    for step in tl.static_range(STEPS):
        probe = place + (FARTHEST >> step)
        there = left & (probe <= count)
        threshold = tl.load(residual + probe - 1, mask=there, other=0)
        place = tl.where(there & (threshold.to(tl.uint64, bitcast=True) <= full), probe, place)
    return start + place


@triton.jit
def _rounded(plain, short: tl.constexpr):
    """`plain`, or as the bits of the nearest bfloat16, ties to even, by integer arithmetic.

    Triton's interpreter cuts bits off where a GPU rounds; in integers both do the same.
    """
    if short:
        bits = plain.to(tl.int32, bitcast=True)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.int16)
    else:
        return plain
