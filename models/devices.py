"""Where networks run: the name of a device checked against this machine, and CUDA told to be exact.

`python -m models.devices cuda:1` says whether that device is here: exit status 0 if it is.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAME = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")
RULE = "be auto, cpu, cuda or cuda:N"
AMPERE = (8, 0)  # compute capability


class DeviceError(RuntimeError):
    """This machine does not have the device."""


def choose(device: str) -> str:
    """The device that `device` means here: itself, or for auto a GPU where there is one.

    Loads torch. Raises DeviceError for what is no device, or is not here.
    """
    if not NAME.fullmatch(device):
        raise DeviceError(f"device is {device!r}; it must {RULE}")
    if device == "cpu":
        return device
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if count else "cpu"
    if int(device.partition(":")[2] or 0) >= count:
        here = f"cuda:0 to cuda:{count - 1}" if count else "no GPU that torch can use, only cpu"
        raise DeviceError(f"device is {device!r}; this machine has {here}")
    return device


def exact() -> None:
    """Let CUDA compute float32 as float32, and alike each time; call before the first kernel runs.

    By default torch rounds the operands of convolutions to TensorFloat-32, which has 10 bits of
    mantissa, picks kernels by racing them when told to, and may add in any order.
    """
    # Read by cuBLAS when its first handle is made; ":4096:8" is one of the two settings that make
    # its results repeatable.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from torch import backends

    # These modules replace themselves when imported; their stubs know nothing of it.
    cuda: Any = backends.cuda
    cudnn: Any = backends.cudnn
    for part in (cuda.matmul, cudnn.conv, cudnn.rnn):
        part.fp32_precision = "ieee"
    cudnn.benchmark, cudnn.deterministic = False, True


def has_tensor_float(device: Any) -> bool:
    """Whether this torch device multiplies in TensorFloat-32: a GPU of NVIDIA's, from Ampere on."""
    import torch

    if torch.device(device).type != "cuda":
        return False
    return torch.cuda.get_device_capability(device) >= AMPERE


@contextmanager
def tensor_float() -> Iterator[None]:
    """Within, CUDA rounds the factors of convolutions and matrix products to TensorFloat-32.

    It is a setting of the process, so one thread computes at a time; a graph that is captured
    within keeps it. What went before is set again afterwards.
    """
    from torch import backends

    cuda: Any = backends.cuda
    cudnn: Any = backends.cudnn
    parts = (cuda.matmul, cudnn.conv)
    before = [part.fp32_precision for part in parts]
    try:
        for part in parts:
            part.fp32_precision = "tf32"
        yield
    finally:
        for part, was in zip(parts, before, strict=True):
            part.fp32_precision = was


def main(device: str) -> int:
    """Say what is wrong with a device on standard error; returns the exit status."""
    try:
        choose(device)
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
