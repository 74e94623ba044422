"""CPU seconds of this process, by named step: what else the machine does is nobody's time here."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """CPU seconds of named steps of this process, added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str = "seconds") -> Iterator[None]:
        """What is done meanwhile counts."""
        began = time.process_time()
        yield
        spent = time.process_time() - began
        self.seconds[name] = self.seconds.get(name, 0.0) + spent

    def rounded(self, digits: int = 3) -> dict[str, float]:
        """To milliseconds, if not told otherwise: less is below what is meant."""
        return {name: round(seconds, digits) for name, seconds in self.seconds.items()}


def timed(work: Callable[[], object]) -> dict[str, float]:
    """The CPU seconds of the work, as {"seconds": …}."""
    clock = Clock()
    with clock():
        work()
    return clock.rounded()
