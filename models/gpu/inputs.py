"""The input of batch after batch, written where the pass reads it."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from models.kernels.launches import Laws, Pictures, laws_on, padded, told
from models.lanes import Piece, Run
from models.noisy import filler
from models.passes import Pass

Dealt = Sequence[Sequence[Run]]
Write = Callable[[Tensor, Tensor, Pictures, Laws], None]


class Inputs(Protocol):
    """Writes the input of a pass. Lanes without a sample repeat the first of their batch; what they
    hold changes nothing."""

    def write(self, batch: int, into: Tensor) -> None:
        """Write the input of the batch of this number."""


class Fused:
    """By one kernel, `models.kernels.pictures.write`. All that it is told is on the device before
    the first batch."""

    def __init__(self, pieces: Sequence[Piece], dealt: Dealt, of: Pass, write: Write) -> None:
        device, self._write = of.network.device, write
        laws = tuple(dict.fromkeys(piece.plan.recipe.noise for piece in pieces))
        clean = np.stack([piece.image.reshape(-1) for piece in pieces])
        self._laws = laws_on(device, laws)
        self._pictures = Pictures(
            torch.from_numpy(clean).to(device),
            torch.tensor(of.mean, dtype=torch.float32, device=device),
            torch.tensor(of.std, dtype=torch.float32, device=device),
        )
        numbers = [laws.index(piece.plan.recipe.noise) for piece in pieces]
        keys = [int(piece.plan.key, 16) for piece in pieces]
        lanes = pieces[0].plan.recipe.lanes

        def rows(run: Run) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
            return told(keys[run.piece], run.samples, run.piece, numbers[run.piece])

        batches = [padded(np.concatenate([rows(run) for run in runs]), lanes) for runs in dealt]
        self._told = torch.from_numpy(np.stack(batches)).to(device)

    def write(self, batch: int, into: Tensor) -> None:
        """Launch the kernel."""
        self._write(into, self._told[batch], self._pictures, self._laws)


class Plain:
    """By torch, piece by piece, as `models.sampling` does."""

    def __init__(self, pieces: Sequence[Piece], dealt: Dealt, of: Pass) -> None:
        self._fill = [filler(piece.plan, piece.image, of) for piece in pieces]
        self._dealt = dealt

    def write(self, batch: int, into: Tensor) -> None:
        """Make the pictures, and round them to the pass's type."""
        lanes, channels, height, width = into.shape
        shape = lanes, height, width, channels
        noisy = torch.empty(shape, dtype=torch.float32, device=into.device)
        runs = self._dealt[batch]
        for run in runs:
            self._fill[run.piece](run.samples, noisy[run.lanes])
        noisy[runs[-1].lanes.stop :] = noisy[0]
        into.copy_(noisy.permute(0, 3, 1, 2))


@cache
def kernel() -> Write | None:
    """The kernel, or None where Triton is not installed."""
    if find_spec("triton") is None:
        return None
    from models.kernels.pictures import write

    return write
