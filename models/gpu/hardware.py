"""What samples on their way ask of a device: queues of work, memory, and work that is repeated."""

import logging
import sys
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Work = Callable[[], None]
WARM_UPS = 3  # libraries choose algorithms and take workspace in the first calls

log = logging.getLogger(__name__)


class Queue(Protocol):
    """Work done one after the other, in the order it was given; queues do not wait for others."""

    def submit(self, work: Work) -> None:
        """Have the work done later, or now."""

    def follow(self) -> None:
        """Begin with what comes next when all that the device was given elsewhere is done."""

    def repeatable(self, work: Work) -> Work:
        """The same work, on the same tensors, to be submitted many times."""

    def wait(self) -> None:
        """Return when all of it is done; raises what it raised."""


class Hardware(Protocol):
    """One device."""

    @property
    def device(self) -> torch.device: ...

    def queue(self) -> Queue:
        """A new queue."""

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor on the host that the device can write to while the host does other things."""

    def free(self) -> int:
        """Bytes of memory that nobody has taken."""

    def relieve(self) -> None:
        """Give back memory that is only held in reserve."""


class Here:
    """The CPU: everything is done at once."""

    device = torch.device("cpu")

    def queue(self) -> Queue:
        """A queue that does what it is given before it returns."""
        return _Immediate()

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor like any other."""
        return torch.empty(shape, dtype=dtype)

    def free(self) -> int:
        """No limit is known."""
        return sys.maxsize

    def relieve(self) -> None:
        """Nothing is held in reserve."""


class _Immediate:
    def submit(self, work: Work) -> None:
        work()

    def follow(self) -> None:
        pass

    def repeatable(self, work: Work) -> Work:
        return work

    def wait(self) -> None:
        pass


class Cuda:
    """A GPU: queues are streams, work that is repeated becomes a CUDA graph where it can."""

    def __init__(self, device: torch.device, graphs: bool = True) -> None:
        self.device = device
        self._graphs = graphs

    def queue(self) -> Queue:
        """A new stream."""
        return _Stream(torch.cuda.Stream(self.device), self._graphs)  # type: ignore[no-untyped-call]

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Page-locked memory; a copy to any other would hold up the host."""
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def free(self) -> int:
        """As the driver says; what torch holds in reserve is not in it."""
        return int(torch.cuda.mem_get_info(self.device)[0])

    def relieve(self) -> None:
        """Empty torch's reserve."""
        torch.cuda.empty_cache()


class _Stream:
    def __init__(self, stream: torch.cuda.Stream, graphs: bool) -> None:
        self._stream = stream
        self._graphs = graphs

    def submit(self, work: Work) -> None:
        with torch.cuda.stream(self._stream):
            work()

    def follow(self) -> None:
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))

    def repeatable(self, work: Work) -> Work:
        """A graph of the work: one launch in place of hundreds, of the very same kernels.

        Work that cannot be captured is returned as it is.
        """
        for _ in range(WARM_UPS):
            self.submit(work)
        self.wait()
        if not self._graphs:
            return work
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("no CUDA graph, each kernel is launched by itself: %s", error)
            return work
        return graph.replay

    def wait(self) -> None:
        self._stream.synchronize()
