"""Where networks run: the name of a device checked against this machine, and CUDA told to be exact.

`python -m models.devices cuda:1` says whether that device is here: exit status 0 if it is.
"""

import os
import re
import sys
from typing import Any

NAME = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")
RULE = "be auto, cpu, cuda or cuda:N"


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
