"""The class that a map explains: one for every picture of a batch, or each picture's own."""

from torch import Tensor

Target = int | Tensor


def of_target(values: Tensor, target: Target) -> Tensor:
    """Return values[i, target of picture i], (n,), of (n, classes) values.

    `target` is a class index, or one for each picture, (n,) int64; both give the same bits.
    """
    if isinstance(target, int):
        return values[:, target]
    return values.gather(1, target.unsqueeze(1))[:, 0]
