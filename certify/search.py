"""Searches whose answer depends on what is proven, never on where a float search began."""

from collections.abc import Callable


def largest(proves: Callable[[int], bool], guess: float, ceiling: int) -> int:
    """The largest unit in 0 … ceiling − 1 of a test that holds up to some unit and not beyond.

    0 is taken to hold. `guess` only decides how many units are tried.
    """
    low = min(max(int(guess), 0), ceiling - 1) if -1 < guess < ceiling else 0
    step = 1
    while low > 0 and not proves(low):
        low, step = max(low - step, 0), 2 * step
    high, step = low + 1, 1
    while high < ceiling and proves(high):
        low, high, step = high, high + step, 2 * step
    high = min(high, ceiling)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if proves(middle) else (low, middle)
    return low
