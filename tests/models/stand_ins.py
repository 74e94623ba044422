"""Hardware of a GPU as the tests of its way of samples want it: late, cramped or badly counted.

`Shuffled` does nothing of what its queues are given until somebody waits, and then in an order that
only keeps to each queue's own: whoever reads too early, or lets one queue depend on another, gets
other evidence.
"""

import weakref
from collections import deque

import numpy as np
import torch
from torch import Tensor

from models.gpu.hardware import Here, Work


class Shuffled(Here):
    """Queues that get on in a random order, and only while somebody waits."""

    def __init__(self, seed: int = 1) -> None:
        self.queues: list[deque[Work]] = []
        self._generator = np.random.Generator(np.random.Philox(seed))

    def queue(self) -> "ShuffledQueue":
        self.queues.append(deque())
        return ShuffledQueue(self, self.queues[-1])

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.full(shape, 77, dtype=dtype)

    def step(self) -> None:
        ready = [queue for queue in self.queues if queue]
        ready[self._generator.integers(len(ready))].popleft()()


class ShuffledQueue:
    def __init__(self, hardware: Shuffled, work: deque[Work]) -> None:
        self._hardware, self._work = hardware, work

    def submit(self, work: Work) -> None:
        self._work.append(work)

    def follow(self) -> None:
        pass

    def repeatable(self, work: Work) -> Work:
        return work

    def wait(self) -> None:
        while self._work:
            self._hardware.step()


class Cramped(Here):
    """Memory for `most` batches in flight, found out while they fly."""

    def __init__(self, most: int) -> None:
        self.most, self.relieved = most, 0
        self.queues: weakref.WeakSet[CrampedQueue] = weakref.WeakSet()

    def queue(self) -> "CrampedQueue":
        made = CrampedQueue(self)
        self.queues.add(made)
        return made

    def relieve(self) -> None:
        self.relieved += 1


class CrampedQueue(ShuffledQueue):
    def __init__(self, hardware: Cramped) -> None:
        self.hardware = hardware

    def submit(self, work: Work) -> None:
        if len(self.hardware.queues) > self.hardware.most:
            raise torch.OutOfMemoryError("as the tests want it")
        work()

    def wait(self) -> None:
        pass


class Counted(Here):
    """Memory of which each queue takes 30 bytes, and that has another price than it says."""

    def __init__(self, memory: int, refuses: int) -> None:
        self.memory, self.refuses, self.made = memory, refuses, 0

    def free(self) -> int:
        return self.memory - 30 * self.made

    def queue(self) -> object:  # type: ignore[override]
        self.made += 1
        if self.made > self.refuses:
            raise torch.OutOfMemoryError("as the tests want it")
        return super().queue()
