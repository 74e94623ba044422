"""From maps to the scores of features, by the quickest way to the same bits."""

from functools import lru_cache

import torch
from torch import Tensor

from models.features import magnitude, pool
from models.native import scores as native


def cell_scores(maps: Tensor, cell: int) -> Tensor:
    """Return pool(magnitude(maps), cell), (n, features): the mean over each cell of a map's size.

    By native code where the maps lie as it reads them and a trial gave the same bits. Raises
    ValueError as `pool` does.
    """
    if native.fits(maps) and agrees(tuple(maps.shape[1:]), cell):
        return native.scores(maps, cell)
    return pool(magnitude(maps), cell)


@lru_cache(maxsize=64)
def agrees(shape: tuple[int, ...], cell: int) -> bool:
    """Whether native code scores maps of this shape, (height, width, channels), as torch does:
    tried once. Raises ValueError as `pool` does."""
    generator = torch.Generator("cpu").manual_seed(3)
    maps = torch.randn(2, *shape, generator=generator, dtype=torch.float32, device="cpu")
    for number, odd in enumerate((torch.inf, torch.nan, -0.0, 1e-45)):
        maps[1].view(-1)[number * 7 :: 1009] = odd
    wanted = pool(magnitude(maps), cell)
    return torch.equal(native.scores(maps, cell), wanted)
