"""What the C library does with memory that is freed: workers keep it, the server returns it."""

import ctypes
import os
import sys
from collections.abc import Mapping

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -3, -4, -8
KEEPING = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 256 << 20}
RETURNING = {M_ARENA_MAX: 2, M_MMAP_THRESHOLD: 4096 << 10}


def keep_memory() -> None:
    """Let the C library keep freed memory, in huge pages where it can; call before loading torch.

    A network's activations are freed and taken again with every batch. By default glibc returns
    them to the system each time, and page faults then take a third of the time (measured on
    EfficientNet-Lite0, 16 pictures: 40 to 66 images/s). The price: memory stays with the process.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _tell(KEEPING)


def return_memory() -> None:
    """Let the C library return large blocks to the system as they are freed.

    The server's threads make arrays of many sizes for a moment each: pictures, proofs. By default
    glibc raises the size from which it returns them, and gives every thread an arena, so that the
    process holds several times what is in use at once (measured under 200 clients: 300 to 416 MiB
    and growing, with this 184 and not). Smaller blocks are kept, since taking them anew costs every
    explanation a millisecond.
    """
    _tell(RETURNING)


def _tell(parameters: Mapping[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if sys.platform == "linux" and mallopt is not None:
        for parameter, value in parameters.items():
            mallopt(parameter, value)
