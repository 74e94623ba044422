"""The worker process: a Desk behind a socket. The only module of `service` whose work loads torch.

`python -m service.pool.worker_process --connect ipc://… --parent PID` is started by `workers`.
It says Ready, then answers one message at a time, and ends when its parent does.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

import zmq

from models.devices import DeviceError, choose
from service.pool.allocator import keep_memory
from service.pool.desk import Desk, Device
from service.pool.frames import LARGEST_FRAME, decode_request, encode
from service.pool.messages import BadMessage, Failure, Reply

POLL_MILLISECONDS = 1000
PR_SET_PDEATHSIG = 1


class Worker:
    """A desk and the socket it answers on. `run_once` is the worker; `run_forever` is the loop."""

    def __init__(self, desk: Desk, address: str, name: str) -> None:
        self._desk = desk
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, name.encode())
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_FRAME)
        self._socket.connect(address)

    def announce(self) -> None:
        """Say that this worker is ready, under ticket 0."""
        self._send(0, self._desk.ready())

    def run_once(self, wait_milliseconds: int = POLL_MILLISECONDS) -> bool:
        """Answer one message, if one comes within the time; whether one came."""
        if not self._socket.poll(wait_milliseconds):
            return False
        try:
            ticket, request = decode_request(self._socket.recv())
        except BadMessage as error:
            self._send(error.ticket, Failure("malformed", str(error)))
        else:
            self._send(ticket, self._desk.answer(request))
        return True

    def run_forever(self, parent: int, pulse: Path | None = None) -> None:
        """Answer until the parent process is gone, and say now and then that one is there.

        A pool that was started anew meanwhile learns of this worker in that way. `pulse` is touched
        between messages, so that whoever watches the file sees the loop turn.
        """
        self.announce()
        while os.getppid() == parent:
            if pulse is not None:
                pulse.touch()
            if not self.run_once():
                self.announce()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, ticket: int, reply: Reply) -> None:
        self._socket.send(encode(ticket, reply))


def open_desk(device: str = "auto", threads: int = 1) -> Desk:
    """A desk over the registered models. `device` is auto, cpu, cuda or cuda:N; loads torch.

    Raises DeviceError for a device that is not here.

    A network's rounding depends on the number of threads (measured: the sums of averaged scores
    of EfficientNet-Lite0 differ between one and two), so it must not follow from how many workers
    share the machine: evidence would. More cores are used by more workers, at the same speed.
    """
    keep_memory()
    import torch

    from models.gpu.sampler import GpuSampler, opened
    from models.loading import Network
    from models.registry import card
    from models.sampling import Sampler

    torch.set_num_threads(threads)
    device = choose(device)

    def load(name: str) -> Sampler | GpuSampler:
        return opened(Network(card(name), device))

    def pulse() -> None:
        if (torch.ones(2, device=device) + 1).sum().item() != 4:
            raise RuntimeError(f"{device} miscounts")

    hardware = Device(pulse, torch.cuda.empty_cache)
    return Desk(load, device=device, threads=torch.get_num_threads(), hardware=hardware)


def end_with_parent(parent: int) -> None:
    """End this process when its parent does, whatever it is doing then.

    The kernel sends SIGKILL when the thread that started us ends (Linux; elsewhere the check in
    `run_forever` has to do). A parent that is gone already is not noticed by the kernel.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this worker is gone")


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, as `workers` writes it."""
    parser = argparse.ArgumentParser(
        prog="python -m service.pool.worker_process", description=__doc__
    )
    parser.add_argument("--connect", required=True, help="address of the pool's socket")
    parser.add_argument("--name", required=True, help="name of this worker on that socket")
    parser.add_argument("--parent", required=True, type=int, help="process id of the pool")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="threads for torch")
    parser.add_argument("--pulse", type=Path, help="file to touch between messages")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Start, load torch, answer until the parent ends."""
    chosen = options(arguments)
    end_with_parent(chosen.parent)
    try:
        desk = open_desk(chosen.device, chosen.threads)
    except DeviceError as error:
        sys.exit(f"no worker: {error}")
    Worker(desk, chosen.connect, chosen.name).run_forever(chosen.parent, chosen.pulse)


if __name__ == "__main__":
    main()
